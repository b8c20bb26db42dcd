use burn::tensor::activation;
use crucible_kernels::{log_softmax, softmax};
use proptest::prelude::*;

use crate::input::{Input, Of, Upstream, batch, input, moderate, size, special, upstream};
use crate::property::{Found, check, results, same_kind, same_kinds};

const NAMES: [&str; 2] = ["output", "by input"];

#[derive(Debug)]
struct Case {
    log: bool,
    input: Input<3>,
    upstream: Upstream<3>,
}

fn cases() -> impl Strategy<Value = Case> {
    let columns = prop_oneof![8 => size(), 1 => 1000..=3000usize];
    (any::<bool>(), batch(), 1..=9usize, columns).prop_flat_map(|(log, a, b, c)| {
        (input([a, b, c]), upstream([a, b, c])).prop_map(move |(input, upstream)| Case {
            log,
            input,
            upstream,
        })
    })
}

fn run(case: &Case, of: Of) -> Found {
    let x = case.input.leaf(of);
    let output = match (of, case.log) {
        (Of::Ours, false) => softmax(x.clone()),
        (Of::Ours, true) => log_softmax(x.clone()),
        (_, false) => activation::softmax(x.clone(), 2),
        (_, true) => activation::log_softmax(x.clone(), 2),
    };
    results(of, output, &case.upstream, &[&x])
}

/// The output by the definition, its size, and that of the gradient.
fn by_hand(case: &Case) -> [Vec<f64>; 3] {
    let (x, grad) = (case.input.exact(), case.upstream.values());
    let columns = case.input.shape[2];
    let (mut output, mut slopes) = (Vec::new(), Vec::new());
    for (x, grad) in x.chunks(columns).zip(grad.chunks(columns)) {
        let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = x.iter().map(|x| (x - largest).exp()).sum();
        let log: Vec<f64> = x.iter().map(|x| x - largest - sum.ln()).collect();
        let sizes = grad.iter().zip(&log).map(|(g, log)| (f64::from(*g).abs(), log.exp()));
        let whole: f64 = sizes.clone().map(|(g, y)| if case.log { g } else { g * y }).sum();
        slopes.extend(sizes.map(|(g, y)| if case.log { g + y * whole } else { y * (g + whole) }));
        output.extend(log.into_iter().map(|log| if case.log { log } else { log.exp() }));
    }
    // The logarithm of a sum near one has the error of the sum.
    let least = if case.log { 0.1 } else { 0.0 };
    let size = output.iter().map(|y| y.abs() + least).collect();
    [output, size, slopes]
}

#[test]
fn agree_with_burn_and_the_definition() {
    check("softmax", 96, cases(), |case, errors| {
        let (ours, [exact, size, slope]) = (run(case, Of::Ours), by_hand(case));
        errors.compare("output by definition", ours[0].as_ref().unwrap(), &exact, &size)?;
        errors.compare_all(&NAMES, [&ours, &run(case, Of::Exact), &vec![Some(size), Some(slope)]])
    });
}

#[test]
fn nan_and_infinities() {
    let cases = (any::<bool>(), batch(), size()).prop_flat_map(|(log, a, c)| {
        (special([a, 2, c]), moderate([a, 2, c])).prop_map(move |(input, upstream)| Case {
            log,
            input,
            upstream,
        })
    });
    check("softmax", 96, cases, |case, _| {
        let ours = run(case, Of::Ours);
        same_kind("output by definition", ours[0].as_ref().unwrap(), &by_hand(case)[0])?;
        same_kinds(&NAMES, &ours, &run(case, Of::Exact))
    });
}
