use burn::tensor::{
    module,
    ops::{AvgPoolOptions, MaxPoolOptions},
};
use crucible_kernels::{AvgPool2d, MaxPool2d, avg_pool2d, max_pool2d, max_pool2d_with};
use proptest::prelude::*;

use crate::input::{Input, Of, Upstream, input, moderate, special, upstream};
use crate::property::{Found, check, results, same_kind, same_kinds};

const NAMES: [&str; 2] = ["output", "by input"];

#[derive(Debug)]
struct Case {
    input: Input<4>,
    windows: MaxPool2d,
    upstream: Upstream<4>,
}

/// Windows of any kind that fits, among them those side by side.
fn windows(largest_dilation: usize) -> impl Strategy<Value = MaxPool2d> {
    let tiles = (1..=4usize).prop_map(MaxPool2d::tiles);
    let kernel = || [1..=5usize, 1..=5];
    let any =
        (kernel(), [1..=4usize, 1..=4], [0..=4usize, 0..=4], [1..=largest_dilation, 1..=largest_dilation]);
    let any = any.prop_map(|(kernel, stride, padding, dilation)| {
        let padding = [0, 1].map(|a| padding[a].min(extent(kernel[a], dilation[a]) / 2));
        MaxPool2d { kernel, stride, padding, dilation }
    });
    prop_oneof![1 => tiles, 3 => any]
}

fn extent(kernel: usize, dilation: usize) -> usize {
    dilation * (kernel - 1) + 1
}

/// The shapes before and after.
fn shapes(windows: MaxPool2d) -> impl Strategy<Value = [[usize; 4]; 2]> {
    let batch = prop_oneof![1 => Just(0), 2 => Just(1), 4 => 2..=5usize, 1 => 20..=30usize];
    let rest = prop_oneof![4 => [0..=12usize, 0..=12], 1 => [0..=3usize, 20..=60]];
    (batch, 1..=5usize, rest).prop_map(move |(n, channels, rest)| {
        let MaxPool2d { kernel, stride, padding, dilation } = windows;
        let span = [0, 1].map(|a| extent(kernel[a], dilation[a]));
        let image = [0, 1].map(|a| span[a].saturating_sub(2 * padding[a]).max(1) + rest[a]);
        let output = [0, 1].map(|a| (image[a] + 2 * padding[a] - span[a]) / stride[a] + 1);
        [[n, channels, image[0], image[1]], [n, channels, output[0], output[1]]]
    })
}

fn cases(largest_dilation: usize) -> impl Strategy<Value = Case> {
    windows(largest_dilation).prop_flat_map(|windows| (shapes(windows), Just(windows))).prop_flat_map(
        |([before, after], windows)| {
            (input(before), upstream(after)).prop_map(move |(input, upstream)| Case {
                input,
                windows,
                upstream,
            })
        },
    )
}

fn special_cases(largest_dilation: usize) -> impl Strategy<Value = Case> {
    windows(largest_dilation).prop_flat_map(|windows| (shapes(windows), Just(windows))).prop_flat_map(
        |([before, after], windows)| {
            (special(before), moderate(after)).prop_map(move |(input, upstream)| Case {
                input,
                windows,
                upstream,
            })
        },
    )
}

impl Case {
    /// The pixels under each window, in the order of reading.
    fn pixels(&self) -> impl Iterator<Item = Vec<usize>> {
        let ([_, _, height, width], MaxPool2d { kernel, stride, padding, dilation }) =
            (self.input.shape, self.windows);
        let [n, channels, rows, columns] = self.upstream.shape();
        (0..n * channels * rows * columns).map(move |i| {
            let (plane, row, column) = (i / (rows * columns), i / columns % rows, i % columns);
            let taps = (0..kernel[0]).flat_map(|y| (0..kernel[1]).map(move |x| (y, x)));
            let places = taps.map(|(y, x)| {
                let y = (row * stride[0] + y * dilation[0]).wrapping_sub(padding[0]);
                (y, (column * stride[1] + x * dilation[1]).wrapping_sub(padding[1]))
            });
            let inside = places.filter(|(y, x)| *y < height && *x < width);
            inside.map(|(y, x)| (plane * height + y) * width + x).collect()
        })
    }
}

fn maxima(case: &Case, of: Of) -> Found {
    let x = case.input.leaf(of);
    let MaxPool2d { kernel, stride, padding, dilation } = case.windows;
    let output = match of {
        Of::Ours if case.windows == MaxPool2d::tiles(kernel[0]) => max_pool2d(x.clone(), kernel[0]),
        Of::Ours => max_pool2d_with(x.clone(), case.windows),
        _ => {
            let options =
                MaxPoolOptions::new(kernel).with_stride(stride).with_padding(padding).with_dilation(dilation);
            module::max_pool2d(x.clone(), options)
        }
    };
    results(of, output, &case.upstream, &[&x])
}

fn means(case: &Case, of: Of) -> Found {
    let x = case.input.leaf(of);
    let MaxPool2d { kernel, stride, padding, .. } = case.windows;
    let output = if of == Of::Ours {
        avg_pool2d(x.clone(), AvgPool2d { kernel, stride, padding })
    } else {
        let options = AvgPoolOptions::new(kernel).with_stride(stride).with_padding(padding);
        module::avg_pool2d(x.clone(), options.with_count_include_pad(true))
    };
    results(of, output, &case.upstream, &[&x])
}

/// Maxima and gradient by the definition, and the gradient's sizes.
fn maxima_by_hand(case: &Case) -> [Vec<f64>; 3] {
    let x = case.input.exact();
    let [mut by_input, mut sizes] = [(); 2].map(|()| vec![0.0; x.len()]);
    let maxima = case.pixels().zip(case.upstream.values()).map(|(pixels, grad)| {
        let larger = |best: usize, pixel: usize| {
            if x[pixel] > x[best] || x[pixel].is_nan() && !x[best].is_nan() { pixel } else { best }
        };
        let Some(best) = pixels.into_iter().reduce(larger) else { return f64::NEG_INFINITY };
        by_input[best] += f64::from(grad);
        sizes[best] += f64::from(grad).abs();
        x[best]
    });
    [maxima.collect(), by_input, sizes]
}

/// The means by the definition, and their sizes.
fn means_by_hand(case: &Case) -> (Vec<f64>, Vec<f64>) {
    let (x, [height, width]) = (case.input.exact(), case.windows.kernel);
    let mean = |terms: &mut dyn Iterator<Item = f64>| terms.sum::<f64>() / (height * width) as f64;
    case.pixels()
        .map(|pixels| {
            let terms = pixels.iter().map(|pixel| x[*pixel]);
            (mean(&mut terms.clone()), mean(&mut terms.map(f64::abs)))
        })
        .unzip()
}

#[test]
fn means_agree_with_burn_and_the_definition() {
    check("avg_pool2d", 96, cases(1), |case, errors| {
        let (ours, (exact, size)) = (means(case, Of::Ours), means_by_hand(case));
        errors.compare("output by definition", ours[0].as_ref().unwrap(), &exact, &size)?;
        errors.compare_all(&NAMES, [&ours, &means(case, Of::Exact), &means(case, Of::Sizes)])
    });
}

#[test]
fn maxima_agree_with_burn_and_the_definition() {
    check("max_pool2d", 128, cases(3), |case, errors| {
        let (ours, [exact, by_input, sizes]) = (maxima(case, Of::Ours), maxima_by_hand(case));
        prop_assert_eq!(ours[0].as_ref().unwrap(), &exact);
        if let Some(ours) = &ours[1] {
            errors.compare("by input, by definition", ours, &by_input, &sizes)?;
        }
        let burn = maxima(case, Of::Exact);
        prop_assert_eq!(&ours[0], &burn[0]);
        errors.compare_all(&NAMES[1..], [&ours[1..].to_vec(), &burn[1..].to_vec(), &vec![Some(sizes)]])
    });
}

#[test]
fn nan_and_infinities_in_means() {
    check("avg_pool2d", 96, special_cases(1), |case, _| {
        let ours = means(case, Of::Ours);
        same_kind("output by definition", ours[0].as_ref().unwrap(), &means_by_hand(case).0)?;
        same_kinds(&NAMES, &ours, &means(case, Of::Exact))
    });
}

#[test]
fn nan_and_infinities_in_maxima() {
    check("max_pool2d", 128, special_cases(3), |case, _| {
        let (ours, [exact, by_input, _]) = (maxima(case, Of::Ours), maxima_by_hand(case));
        same_kinds(&NAMES, &ours, &vec![Some(exact), ours[1].as_ref().map(|_| by_input)])?;
        same_kinds(&NAMES, &ours, &maxima(case, Of::Exact))
    });
}
