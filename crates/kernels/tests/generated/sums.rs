//! `axpby` and `norm`, which run below autodiff.

use crucible_kernels::{axpby, norm};
use proptest::prelude::*;

use crate::input::{Input, Of, batch, input, size, special, upstream};
use crate::property::{check, results, same_kind, values};

fn shape() -> impl Strategy<Value = [usize; 3]> {
    (batch(), size(), 1..=20usize).prop_map(|(a, b, c)| [a, b, c])
}

#[test]
fn weighted_sums_agree_with_float64_and_so_do_tracked_ones() {
    let cases = shape().prop_flat_map(|shape| {
        let factor = || prop_oneof![Just(0.0), Just(1.0), -3.0..3.0f64];
        (input(shape), input(shape), factor(), factor(), upstream(shape))
    });
    check("axpby", 96, cases, |(x, y, a, b, upstream), errors| {
        let run = |of: Of| {
            let [a, b] =
                [a, b].map(|factor| if of == Of::Sizes { factor.abs() } else { f64::from(*factor as f32) });
            let (x, y) = (x.leaf(of), y.leaf(of));
            let output = match of {
                Of::Ours => axpby(a, x.clone(), b, y.clone()),
                _ => x.clone() * a + y.clone() * b,
            };
            results(of, output, upstream, &[&x, &y])
        };
        let [ours, exact, sizes] = [Of::Ours, Of::Exact, Of::Sizes].map(run);
        errors.compare_all(&["tracked output", "by x", "by y"], [&ours, &exact, &sizes])?;
        let untracked = values(axpby(*a, x.view(), *b, y.view()));
        errors.compare("output", &untracked, exact[0].as_ref().unwrap(), sizes[0].as_ref().unwrap())
    });
}

fn exact_norm(x: &Input<3>) -> f64 {
    x.exact().iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[test]
fn norms_agree_with_float64() {
    check("norm", 96, shape().prop_flat_map(input), |x, errors| {
        let exact = exact_norm(x);
        errors.compare("output", &[norm(x.view())], &[exact], &[exact])?;
        // Under autodiff stand Burn's operations.
        errors.compare("of Burn's operations", &[norm(x.leaf(Of::Ours))], &[exact], &[exact])
    });
}

#[test]
fn nan_and_infinities() {
    let cases = shape().prop_flat_map(|shape| (special(shape), special(shape)));
    check("axpby and norm", 96, cases, |(x, y), _| {
        same_kind("norm", &[norm(x.view())], &[exact_norm(x)])?;
        let exact: Vec<f64> = x.exact().iter().zip(y.exact()).map(|(x, y)| 0.5 * x - 2.0 * y).collect();
        same_kind("axpby", &values(axpby(0.5, x.view(), -2.0, y.view())), &exact)
    });
}
