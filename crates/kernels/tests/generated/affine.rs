use burn::tensor::{Bool, Tensor, TensorData};
use crucible_kernels::{Fused, affine};
use proptest::prelude::*;

use crate::input::{Input, Of, Upstream, input, moderate, rows, size, special, upstream};
use crate::property::{Found, check, results, same_kind, same_kinds};
use crate::smooth;

const NAMES: [&str; 4] = ["output", "by input", "by weight", "by bias"];

#[derive(Debug)]
struct Case {
    input: Input<2>,
    weight: Input<2>,
    bias: Input<1>,
    fused: Fused,
    upstream: Upstream<2>,
}

fn fused() -> impl Strategy<Value = Fused> {
    prop_oneof![Just(Fused::None), Just(Fused::Relu), smooth::functions().prop_map(Fused::Smooth)]
}

fn cases() -> impl Strategy<Value = Case> {
    (rows(), size(), fused()).prop_flat_map(|([n, o], i, fused)| {
        (input([n, i]), input([o, i]), input([o]), upstream([n, o]))
            .prop_map(move |(input, weight, bias, upstream)| Case { input, weight, bias, fused, upstream })
    })
}

fn ours(case: &Case) -> Found {
    let of = Of::Ours;
    let (x, w, b) = (case.input.leaf(of), case.weight.leaf(of), case.bias.leaf(of));
    let output = affine(x.clone(), w.clone(), b.clone(), case.fused);
    results(of, output, &case.upstream, &[&x, &w, &b])
}

fn reference(case: &Case, of: Of, ours: &Found) -> Found {
    let (x, w, b) = (case.input.leaf(of), case.weight.leaf(of), case.bias.leaf(of));
    let sum = x.clone().matmul(w.clone().transpose()) + b.clone().unsqueeze();
    let output = match (case.fused, of) {
        (Fused::None, _) => sum,
        (Fused::Relu, _) => rectified(sum, ours),
        // The slope is off by at most the error of the sum.
        (Fused::Smooth(_), Of::Sizes) => sum.clone() * (sum.detach() + 1.0),
        (Fused::Smooth(function), _) => smooth::plain(function, sum),
    };
    results(of, output, &case.upstream, &[&x, &w, &b])
}

/// A sum that is not positive as zero. One so near to zero that rounding decides counts as it does in `ours`.
pub(crate) fn rectified<const D: usize>(sum: Tensor<D>, ours: &Found) -> Tensor<D> {
    let zero: Vec<bool> = ours[0].iter().flatten().map(|y| *y <= 0.0).collect();
    let zero = Tensor::<D, Bool>::from_data(TensorData::new(zero, sum.dims()), &sum.device());
    sum.mask_fill(zero, 0.0)
}

/// `fused` of a sum, and the size that its error is relative to.
pub(crate) fn exact(fused: Fused, (sum, size): (f64, f64)) -> (f64, f64) {
    match fused {
        Fused::None => (sum, size),
        Fused::Relu => (if sum < 0.0 { 0.0 } else { sum }, size),
        Fused::Smooth(function) => {
            let y = smooth::exact(function, sum);
            (y, y.abs() + 1.2 * size)
        }
    }
}

/// The output by the definition, and its size.
fn by_hand(case: &Case) -> (Vec<f64>, Vec<f64>) {
    let [x, w, b] = [case.input.exact(), case.weight.exact(), case.bias.exact()];
    let ([n, inputs], [outputs, _]) = (case.input.shape, case.weight.shape);
    let places = (0..n * outputs).map(|i| (i / outputs, i % outputs));
    let sums = places.map(|(row, output)| {
        let terms = x[row * inputs..][..inputs].iter().zip(&w[output * inputs..][..inputs]);
        let start = (b[output], b[output].abs());
        terms.fold(start, |(sum, size), (x, w)| (sum + x * w, size + (x * w).abs()))
    });
    sums.map(|sum| exact(case.fused, sum)).unzip()
}

#[test]
fn agrees_with_burn_and_the_definition() {
    check("affine", 96, cases(), |case, errors| {
        let (ours, (exact, size)) = (ours(case), by_hand(case));
        errors.compare("output by definition", ours[0].as_ref().unwrap(), &exact, &size)?;
        let [exact, mut sizes] = [Of::Exact, Of::Sizes].map(|of| reference(case, of, &ours));
        sizes[0] = Some(size);
        errors.compare_all(&NAMES, [&ours, &exact, &sizes])
    });
}

#[test]
fn nan_and_infinities() {
    let cases = (1..=20usize, size(), size(), fused()).prop_flat_map(|(n, i, o, fused)| {
        (special([n, i]), special([o, i]), special([o]), moderate([n, o]))
            .prop_map(move |(input, weight, bias, upstream)| Case { input, weight, bias, fused, upstream })
    });
    check("affine", 96, cases, |case, _| {
        let ours = ours(case);
        same_kind("output by definition", ours[0].as_ref().unwrap(), &by_hand(case).0)?;
        same_kinds(&NAMES, &ours, &reference(case, Of::Exact, &ours))
    });
}
