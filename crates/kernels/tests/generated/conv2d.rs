use std::ops::RangeInclusive;

use burn::tensor::{module, ops::ConvOptions};
use crucible_kernels::{Conv2d, Fused, conv2d};
use proptest::prelude::*;

use crate::affine::rectified;
use crate::input::{Input, Of, Upstream, input, moderate, ordinary, special, upstream};
use crate::property::{Found, check, results, same_kind, same_kinds};

const NAMES: [&str; 4] = ["output", "by input", "by weight", "by bias"];

#[derive(Debug)]
struct Case {
    input: Input<4>,
    weight: Input<4>,
    bias: Input<1>,
    options: Conv2d,
    relu: bool,
    upstream: Upstream<4>,
}

#[derive(Debug, Clone, Copy)]
struct Shapes {
    input: [usize; 4],
    weight: [usize; 4],
    options: Conv2d,
}

impl Shapes {
    fn output(&self) -> [usize; 4] {
        let Self { input: [n, _, h, w], weight: [outputs, _, kh, kw], options } = *self;
        let along = |axis: usize, size: usize, kernel: usize| {
            let span = options.dilation[axis] * (kernel - 1) + 1;
            (size + 2 * options.padding[axis] - span) / options.stride[axis] + 1
        };
        [n, outputs, along(0, h, kh), along(1, w, kw)]
    }
}

fn pair(range: RangeInclusive<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

/// Groups, and the channels of each before and after: one group, several, or depthwise.
fn channels() -> impl Strategy<Value = [usize; 3]> {
    prop_oneof![
        4 => [1..=1usize, 1..=20, 1..=34],
        2 => [2..=4usize, 1..=6, 1..=17],
        2 => [2..=20usize, 1..=1, 1..=3],
    ]
}

/// Kernels of any size that fits, moved in any way.
fn any_shapes() -> impl Strategy<Value = Shapes> {
    let batch = prop_oneof![1 => Just(0), 2 => Just(1), 4 => 2..=5usize, 1 => 16..=18usize];
    let moves = (pair(1..=5), pair(1..=3), pair(0..=3), pair(1..=3));
    let rest = prop_oneof![3 => pair(0..=9), 1 => [0..=3usize, 10..=50]];
    (batch, channels(), moves, rest).prop_map(
        |(batch, [groups, inputs, outputs], (kernel, stride, padding, dilation), rest)| {
            let least = |a: usize| (dilation[a] * (kernel[a] - 1) + 1).saturating_sub(2 * padding[a]).max(1);
            Shapes {
                input: [batch, groups * inputs, least(0) + rest[0], least(1) + rest[1]],
                weight: [groups * outputs, inputs, kernel[0], kernel[1]],
                options: Conv2d { stride, padding, dilation, groups },
            }
        },
    )
}

/// What a network's inner layers are: 3 by 3, one step at a time, over many channels.
fn inner_layer() -> impl Strategy<Value = Shapes> {
    (4..=7usize, pair(16..=40), pair(3..=14), 0..=2usize).prop_map(
        |(batch, [inputs, outputs], [h, w], padding)| Shapes {
            input: [batch, inputs, h, w],
            weight: [outputs, inputs, 3, 3],
            options: Conv2d { stride: [1; 2], padding: [padding; 2], dilation: [1; 2], groups: 1 },
        },
    )
}

fn cases(shapes: impl Strategy<Value = Shapes>) -> impl Strategy<Value = Case> {
    (shapes, any::<bool>()).prop_flat_map(|(shapes, relu)| {
        let Shapes { input: x, weight: w, options } = shapes;
        (input(x), input(w), input([w[0]]), upstream(shapes.output())).prop_map(
            move |(input, weight, bias, upstream)| Case { input, weight, bias, options, relu, upstream },
        )
    })
}

fn special_cases(shapes: impl Strategy<Value = Shapes>) -> impl Strategy<Value = Case> {
    (shapes, any::<bool>()).prop_flat_map(|(shapes, relu)| {
        let Shapes { input: x, weight: w, options } = shapes;
        (special(x), ordinary(w), special([w[0]]), moderate(shapes.output())).prop_map(
            move |(input, weight, bias, upstream)| Case { input, weight, bias, options, relu, upstream },
        )
    })
}

fn ours(case: &Case) -> Found {
    let of = Of::Ours;
    let (x, w, b) = (case.input.leaf(of), case.weight.leaf(of), case.bias.leaf(of));
    let fused = if case.relu { Fused::Relu } else { Fused::None };
    let output = conv2d(x.clone(), w.clone(), b.clone(), case.options, fused);
    results(of, output, &case.upstream, &[&x, &w, &b])
}

fn reference(case: &Case, of: Of, ours: &Found) -> Found {
    let (x, w, b) = (case.input.leaf(of), case.weight.leaf(of), case.bias.leaf(of));
    let Conv2d { stride, padding, dilation, groups } = case.options;
    let options = ConvOptions::new(stride, padding, dilation, groups);
    let sum = module::conv2d(x.clone(), w.clone(), Some(b.clone()), options);
    let output = if case.relu { rectified(sum, ours) } else { sum };
    results(of, output, &case.upstream, &[&x, &w, &b])
}

/// The output by the definition, and its size.
fn by_hand(case: &Case) -> (Vec<f64>, Vec<f64>) {
    let [x, w, b] = [case.input.exact(), case.weight.exact(), case.bias.exact()];
    let shapes = Shapes { input: case.input.shape, weight: case.weight.shape, options: case.options };
    let ([n, outputs, oh, ow], Conv2d { stride, padding, dilation, groups }) =
        (shapes.output(), case.options);
    let ([_, channels, h, width], [_, group, kh, kw]) = (shapes.input, shapes.weight);
    let places = (0..n * outputs * oh * ow)
        .map(|i| [i / (outputs * oh * ow), i / (oh * ow) % outputs, i / ow % oh, i % ow]);
    let sums = places.map(|[image, output, row, column]| {
        let first = image * channels + output / (outputs / groups) * group;
        let (mut sum, mut size) = (b[output], b[output].abs());
        for tap in 0..group * kh * kw {
            let [channel, ky, kx] = [tap / (kh * kw), tap / kw % kh, tap % kw];
            let y = (row * stride[0] + ky * dilation[0]).wrapping_sub(padding[0]);
            let x_place = (column * stride[1] + kx * dilation[1]).wrapping_sub(padding[1]);
            if y < h && x_place < width {
                let term =
                    x[((first + channel) * h + y) * width + x_place] * w[output * group * kh * kw + tap];
                (sum, size) = (sum + term, size + term.abs());
            }
        }
        (if case.relu && sum < 0.0 { 0.0 } else { sum }, size)
    });
    sums.unzip()
}

/// The largest size of the pixels that are at most `reach` rows and columns away on the same plane of `[.., h, w]`.
fn around(sizes: &[f64], [.., h, w]: [usize; 4], reach: usize) -> Vec<f64> {
    let near = |at: usize, size: usize| at.saturating_sub(reach)..size.min(at + reach + 1);
    let largest = |i: usize| {
        let (plane, y, x) = (i / (h * w), i / w % h, i % w);
        let pixels = near(y, h).flat_map(|y| near(x, w).map(move |x| (plane * h + y) * w + x));
        pixels.map(|pixel| sizes[pixel]).fold(0.0, f64::max)
    };
    (0..sizes.len()).map(largest).collect()
}

/// Errors are relative to the sizes of the pixels within `reach`, which a tile may mix with each other.
fn agrees(name: &str, cases: u32, shapes: impl Strategy<Value = Shapes>, reach: usize) {
    check(name, cases, self::cases(shapes), |case, errors| {
        let shapes = Shapes { input: case.input.shape, weight: case.weight.shape, options: case.options };
        let (ours, (exact, size)) = (ours(case), by_hand(case));
        let size = around(&size, shapes.output(), reach);
        errors.compare("output by definition", ours[0].as_ref().unwrap(), &exact, &size)?;
        let [exact, mut sizes] = [Of::Exact, Of::Sizes].map(|of| reference(case, of, &ours));
        let planes = [shapes.output(), shapes.input, shapes.weight];
        for (sizes, shape) in sizes.iter_mut().zip(planes) {
            *sizes = sizes.as_deref().map(|sizes| around(sizes, shape, reach));
        }
        errors.compare_all(&NAMES, [&ours, &exact, &sizes])
    });
}

/// Gradients are those without a ReLU, whose own is zero here where its output is NaN. A pixel that is no number makes
/// the gradients by its whole plane of weights NaN, also by those that never meet it.
fn special_numbers(name: &str, cases: u32, shapes: impl Strategy<Value = Shapes>) {
    check(name, cases, special_cases(shapes), |case, _| {
        let ours = ours(case);
        same_kind("output by definition", ours[0].as_ref().unwrap(), &by_hand(case).0)?;
        if case.relu {
            return Ok(());
        }
        let mut exact = reference(case, Of::Exact, &ours);
        if let (Some(ours), Some(exact)) = (&ours[2], &mut exact[2]) {
            let spread = exact.iter_mut().zip(ours).filter(|(_, ours)| ours.is_nan());
            spread.for_each(|(exact, _)| *exact = f64::NAN);
        }
        same_kinds(&NAMES, &ours, &exact)
    });
}

#[test]
fn agrees_with_burn_and_the_definition() {
    agrees("conv2d", 128, any_shapes(), 0);
}

#[test]
fn agrees_in_inner_layers() {
    // Computed in tiles of 6×6 pixels.
    agrees("conv2d, inner layers", 24, inner_layer(), 5);
}

#[test]
fn nan_and_infinities() {
    special_numbers("conv2d", 96, any_shapes());
}

#[test]
fn nan_and_infinities_in_inner_layers() {
    special_numbers("conv2d, inner layers", 24, inner_layer());
}
