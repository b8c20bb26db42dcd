use burn::tensor::Tensor;
use crucible_kernels::layer_norm;
use proptest::prelude::*;

use crate::input::{Input, Of, Upstream, batch, input, moderate, ordinary, rows, size, special, upstream};
use crate::property::{Found, check, results, same_kind, same_kinds, values};

const NAMES: [&str; 4] = ["output", "by input", "by weight", "by bias"];

#[derive(Debug)]
struct Case {
    input: Input<2>,
    weight: Input<1>,
    bias: Input<1>,
    epsilon: f64,
    upstream: Upstream<2>,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = prop_oneof![8 => rows(), 1 => [0..=9usize, 500..=1500]];
    let epsilon = prop::sample::select(vec![1e-5, 1e-3, 1.0]);
    (shape, epsilon).prop_flat_map(|([n, features], epsilon)| {
        (input([n, features]), input([features]), input([features]), upstream([n, features]))
            .prop_map(move |(input, weight, bias, upstream)| Case { input, weight, bias, epsilon, upstream })
    })
}

/// Each row without its mean, and the factor that makes its variance one.
fn parts(x: Tensor<2>, epsilon: f64) -> (Tensor<2>, Tensor<2>) {
    let centered = x.clone() - x.mean_dim(1);
    let variance = (centered.clone() * centered.clone()).mean_dim(1);
    (centered, (variance + epsilon).sqrt().recip())
}

fn run(case: &Case, of: Of) -> Found {
    let (x, w, b) = (case.input.leaf(of), case.weight.leaf(of), case.bias.leaf(of));
    let output = if of == Of::Ours {
        layer_norm(x.clone(), w.clone(), b.clone(), case.epsilon)
    } else {
        let (centered, scale) = parts(x.clone(), f64::from(case.epsilon as f32));
        centered * scale * w.clone().unsqueeze() + b.clone().unsqueeze()
    };
    results(of, output, &case.upstream, &[&x, &w, &b])
}

/// What the errors are relative to: where the mean is subtracted, what is left has the error of both.
fn sizes(case: &Case) -> Found {
    let x = case.input.leaf(Of::Exact).inner();
    let (_, scale) = parts(x.clone(), case.epsilon);
    let [w, b] = [&case.weight, &case.bias].map(|tensor| tensor.leaf(Of::Sizes).inner());
    let grad = case.upstream.size();
    let normalized = (x.clone().abs() + x.abs().mean_dim(1)) * scale.clone();
    let output = normalized.clone() * w.clone().unsqueeze() + b.unsqueeze();
    let g = grad.clone() * w.unsqueeze();
    let along = (g.clone() * normalized.clone()).mean_dim(1);
    let by_input = (g.clone() + g.mean_dim(1) + normalized.clone() * along) * scale;
    let by_weight = (grad.clone() * normalized).sum_dim(0);
    vec![Some(values(output)), Some(values(by_input)), Some(values(by_weight)), Some(values(grad.sum_dim(0)))]
}

/// The output by the definition.
fn by_hand(case: &Case) -> Vec<f64> {
    let [x, w, b] = [case.input.exact(), case.weight.exact(), case.bias.exact()];
    let (features, count) = (w.len(), w.len() as f64);
    let mut output = Vec::new();
    for x in x.chunks(features) {
        let mean = x.iter().sum::<f64>() / count;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let scale = 1.0 / (variance + case.epsilon).sqrt();
        output.extend(x.iter().zip(&w).zip(&b).map(|((x, w), b)| (x - mean) * scale * w + b));
    }
    output
}

#[test]
fn agrees_with_burn_and_the_definition() {
    check("layer_norm", 96, cases(), |case, errors| {
        let (ours, sizes) = (run(case, Of::Ours), sizes(case));
        let (output, size) = (ours[0].as_ref().unwrap(), sizes[0].as_ref().unwrap());
        errors.compare("output by definition", output, &by_hand(case), size)?;
        errors.compare_all(&NAMES, [&ours, &run(case, Of::Exact), &sizes])
    });
}

#[test]
fn nan_and_infinities() {
    let cases = (batch(), size()).prop_flat_map(|(n, features)| {
        let weight = prop_oneof![ordinary([features]), special([features])];
        let tensors = (special([n, features]), weight, special([features]), moderate([n, features]));
        tensors.prop_map(|(input, weight, bias, upstream)| Case {
            input,
            weight,
            bias,
            epsilon: 1e-5,
            upstream,
        })
    });
    check("layer_norm", 96, cases, |case, _| {
        let ours = run(case, Of::Ours);
        // Where a weight is infinite, the order of the factors decides what gradients are.
        let names = if case.weight.is_special() { &NAMES[..1] } else { &NAMES };
        same_kind("output by definition", ours[0].as_ref().unwrap(), &by_hand(case))?;
        same_kinds(names, &ours, &run(case, Of::Exact))
    });
}
