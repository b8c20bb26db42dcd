use std::f64::consts::PI;

use burn::tensor::{Tensor, activation};
use crucible_kernels::{Smooth, smooth};
use proptest::prelude::*;

use crate::input::{Input, Of, Upstream, batch, input, moderate, size, special, upstream};
use crate::property::{Found, check, results, same_kind, same_kinds};

const NAMES: [&str; 2] = ["output", "by input"];

#[derive(Debug)]
struct Case {
    function: Smooth,
    input: Input<3>,
    upstream: Upstream<3>,
}

pub(crate) fn functions() -> impl Strategy<Value = Smooth> {
    prop::sample::select(vec![Smooth::Gelu, Smooth::Silu, Smooth::Sigmoid, Smooth::Tanh])
}

fn cases() -> impl Strategy<Value = Case> {
    (functions(), batch(), size(), 1..=40usize).prop_flat_map(|(function, a, b, c)| {
        (input([a, b, c]), upstream([a, b, c])).prop_map(move |(input, upstream)| Case {
            function,
            input,
            upstream,
        })
    })
}

/// `function` of Burn.
pub(crate) fn plain<const D: usize>(function: Smooth, x: Tensor<D>) -> Tensor<D> {
    match function {
        Smooth::Gelu => activation::gelu(x),
        Smooth::Silu => activation::silu(x),
        Smooth::Sigmoid => activation::sigmoid(x),
        Smooth::Tanh => x.tanh(),
    }
}

/// `function` by its definition.
pub(crate) fn exact(function: Smooth, x: f64) -> f64 {
    match function {
        Smooth::Gelu => x * below(x),
        Smooth::Silu => x / (1.0 + (-x).exp()),
        Smooth::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Smooth::Tanh => x.tanh(),
    }
}

/// The probability of the normal distribution below `x`: a series near zero, a continued fraction elsewhere (Abramowitz
/// and Stegun 26.2.10, 26.2.14).
fn below(x: f64) -> f64 {
    if x > 0.0 {
        return 1.0 - below(-x);
    }
    let density = (-x * x / 2.0).exp() / (2.0 * PI).sqrt();
    if x > -3.0 {
        let terms = (0..100).scan(x, |term, n| {
            let value = *term;
            *term *= x * x / f64::from(2 * n + 3);
            Some(value)
        });
        return 0.5 + density * terms.sum::<f64>();
    }
    if density == 0.0 { 0.0 } else { density / (1..200).rev().fold(-x, |rest, n| -x + f64::from(n) / rest) }
}

/// The magnitudes that make up the slope at `x`: sigmoid's and tanh's is found from the output.
fn slope_size(function: Smooth, x: f64) -> f64 {
    let y = exact(function, x).abs();
    match function {
        // The least is what Burn's own is off by in the lower tail.
        Smooth::Gelu => 1e-9 + below(x) + x.abs() * (-x * x / 2.0).exp() / (2.0 * PI).sqrt(),
        Smooth::Silu => {
            let s = exact(Smooth::Sigmoid, x);
            s + x.abs() * s * (1.0 - s)
        }
        Smooth::Sigmoid => y * (1.0 + y),
        Smooth::Tanh => 1.0 + y * y,
    }
}

fn run(case: &Case, of: Of) -> Found {
    let x = case.input.leaf(of);
    let output = match of {
        Of::Ours => smooth(case.function, x.clone()),
        _ => plain(case.function, x.clone()),
    };
    results(of, output, &case.upstream, &[&x])
}

/// The output by the definition, its size, and that of the gradient.
fn by_hand(case: &Case) -> [Vec<f64>; 3] {
    let x = case.input.exact();
    let output: Vec<f64> = x.iter().map(|x| exact(case.function, *x)).collect();
    let size = output.iter().map(|y| y.abs()).collect();
    let slopes = x.iter().zip(case.upstream.values());
    let slopes = slopes.map(|(x, g)| slope_size(case.function, *x) * f64::from(g).abs());
    [output, size, slopes.collect()]
}

#[test]
fn agrees_with_burn_and_the_definition() {
    check("smooth", 96, cases(), |case, errors| {
        let (ours, [exact, size, slope]) = (run(case, Of::Ours), by_hand(case));
        errors.compare("output by definition", ours[0].as_ref().unwrap(), &exact, &size)?;
        // Burn's GELU finds its lower tail as a difference of two numbers near one.
        let size = size.into_iter().map(|size| size + 1e-9).collect();
        errors.compare_all(&NAMES, [&ours, &run(case, Of::Exact), &vec![Some(size), Some(slope)]])
    });
}

#[test]
fn nan_and_infinities() {
    let cases = (functions(), batch(), size()).prop_flat_map(|(function, a, b)| {
        (special([a, b, 3]), moderate([a, b, 3])).prop_map(move |(input, upstream)| Case {
            function,
            input,
            upstream,
        })
    });
    check("smooth", 96, cases, |case, _| {
        let ours = run(case, Of::Ours);
        same_kind("output by definition", ours[0].as_ref().unwrap(), &by_hand(case)[0])?;
        same_kinds(&NAMES, &ours, &run(case, Of::Exact))
    });
}
