use burn::tensor::{Tensor, TensorData};
use crucible_kernels::{
    Rule, axpby, norm, optimizer_step, row_norms, softmax_cross_entropy, transposed_products, watched,
};

use crate::{CLOSE, Read, compare, outcome, read, wave};

#[test]
fn softmax_cross_entropy_of_small_and_large_logits() {
    for (n, k, scale) in [(1, 2, 1.0), (7, 10, 3.0), (33, 40, 100.0)] {
        compare(&format!("softmax_cross_entropy of {n}x{k}, scale {scale}"), CLOSE, |device| {
            let logits = (wave([n, k], 0.1, device) * scale).detach().require_grad();
            let mut targets = vec![0.1 / k as f32; n * k];
            (0..n).for_each(|row| targets[row * k + (row * 7) % k] += 0.9);
            let targets = Tensor::from_data(TensorData::new(targets, [n, k]), device);
            outcome(softmax_cross_entropy(logits.clone(), targets), &[("logits", &logits)])
        });
    }
}

#[test]
fn a_class_that_is_ruled_out_adds_nothing() {
    compare("softmax_cross_entropy with a logit of minus infinity", CLOSE, |device| {
        let logits = [[1000.0, 0.0, 1.0], [-3.0, f32::NEG_INFINITY, -2.0]];
        let logits = Tensor::<2>::from_floats(logits, device).require_grad();
        let targets = Tensor::from_floats([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]], device);
        outcome(softmax_cross_entropy(logits.clone(), targets), &[("logits", &logits)])
    });
}

#[test]
fn axpby_below_autodiff_and_above() {
    compare("axpby below autodiff", CLOSE, |device| {
        let [x, y] = [0.1, 1.0].map(|phase| wave([5, 7], phase, device).inner());
        vec![("output", read(axpby(0.9, x, -0.01, y)))]
    });
    compare("axpby", CLOSE, |device| {
        let [x, y] = [0.1, 1.0].map(|phase| wave([5, 7], phase, device).require_grad());
        outcome(axpby(0.9, x.clone(), -0.01, y.clone()), &[("x", &x), ("y", &y)])
    });
}

#[test]
fn norm_of_all_elements() {
    for shape in [[1, 1], [3, 5], [70, 33]] {
        compare(&format!("norm of {shape:?}"), CLOSE, |device| {
            vec![("norm", Read { shape: vec![], values: vec![norm(wave(shape, 0.1, device).inner())] })]
        });
    }
}

#[test]
fn row_norms_of_rows() {
    for shape in [[1, 1], [3, 5], [70, 33]] {
        compare(&format!("row_norms of {shape:?}"), CLOSE, |device| {
            vec![("norms", read(row_norms(wave(shape, 0.1, device).inner())))]
        });
    }
}

#[test]
fn transposed_products_of_pairs() {
    for [n, t, i, j] in [[1, 1, 2, 3], [1, 40, 9, 33], [5, 7, 3, 4]] {
        compare(&format!("transposed_products of {n}x{t}x{i} and {n}x{t}x{j}"), CLOSE, |device| {
            let (a, b) = (wave([n, t, i], 0.1, device).inner(), wave([n, t, j], 1.0, device).inner());
            vec![("products", read(transposed_products(a, b)))]
        });
    }
}

#[test]
fn watched_shows_the_gradient() {
    compare("watched", CLOSE, |device| {
        let x = wave([3, 5], 0.1, device).require_grad();
        let watcher = Tensor::<2>::zeros([1; 2], device).require_grad();
        outcome(watched(x.clone(), watcher.clone()), &[("input", &x), ("watcher", &watcher)])
    });
}

fn rules() -> Vec<Rule> {
    let sgd = |momentum, nesterov, weight_decay| Rule::Sgd { lr: 0.1, momentum, nesterov, weight_decay };
    let adam = |weight_decay, decoupled, amsgrad, time| Rule::Adam {
        lr: 0.02,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weight_decay,
        decoupled,
        amsgrad,
        time,
    };
    let rmsprop = |momentum, centered, weight_decay| Rule::Rmsprop {
        lr: 0.01,
        alpha: 0.9,
        eps: 1e-3,
        momentum,
        centered,
        weight_decay,
    };
    vec![
        sgd(0.0, false, 0.1),
        sgd(0.9, false, 0.0),
        sgd(0.9, true, 0.1),
        adam(0.0, false, false, 1),
        adam(0.1, false, true, 2),
        adam(0.1, true, false, 70),
        rmsprop(0.0, false, 0.0),
        rmsprop(0.8, false, 0.1),
        rmsprop(0.0, true, 0.0),
        rmsprop(0.8, true, 0.1),
        Rule::Adagrad { lr: 0.05, eps: 1e-10, weight_decay: 0.1 },
        Rule::Lion { lr: 0.01, beta1: 0.9, beta2: 0.99, weight_decay: 0.3 },
    ]
}

#[test]
fn optimizer_step_by_every_rule() {
    for rule in rules() {
        compare(&format!("optimizer_step by {rule:?}"), CLOSE, |device| {
            let [weights, gradient] = [0.1, 1.0].map(|phase| wave([6, 7], phase, device).inner());
            // What adds up squares is positive, and above the square of a mean that is remembered beside it.
            let squares = !matches!(rule, Rule::Sgd { .. } | Rule::Lion { .. });
            let center = if squares { [9.0, 1.5, 1.5] } else { [0.0; 3] };
            let memory = [2.0, 3.0, 4.0].map(|phase| wave([6, 7], phase, device).inner() * 0.5);
            let memory = memory.into_iter().zip(center).map(|(memory, center)| memory + center);
            let memory = memory.take(rule.memory()).collect();
            let (weights, memory) = optimizer_step(rule, weights, gradient, memory);
            let memory = ["first memory", "second memory", "third memory"].into_iter().zip(memory);
            let memory = memory.map(|(name, tensor)| (name, read(tensor)));
            [("weights", read(weights))].into_iter().chain(memory).collect()
        });
    }
}
