use burn::tensor::Tensor;
use crucible_kernels::{
    Fused, Smooth, affine, affine_low_rank, batch_norm, batch_norm_train, layer_norm, leaky_relu,
    log_softmax, smooth, softmax,
};

use crate::{CLOSE, compare, outcome, read, wave};

const SMOOTH: [Smooth; 4] = [Smooth::Gelu, Smooth::Silu, Smooth::Sigmoid, Smooth::Tanh];

#[test]
fn affine_with_every_activation() {
    let smooth = SMOOTH.map(Fused::Smooth);
    for fused in [Fused::None, Fused::Relu].into_iter().chain(smooth) {
        for [n, inputs, outputs] in [[1, 1, 1], [5, 7, 3], [33, 18, 20]] {
            compare(&format!("affine {fused:?} of {n}x{inputs}x{outputs}"), CLOSE, |device| {
                // Not contiguous.
                let x = wave([inputs, n], 0.1, device).transpose().require_grad();
                let w = wave([outputs, inputs], 1.0, device).require_grad();
                let b = wave([outputs], 2.0, device).require_grad();
                let output = affine(x.clone(), w.clone(), b.clone(), fused);
                outcome(output, &[("input", &x), ("weight", &w), ("bias", &b)])
            });
        }
    }
}

#[test]
fn affine_with_a_change_of_low_rank() {
    for fused in [Fused::None, Fused::Relu, Fused::Smooth(Smooth::Gelu)] {
        compare(&format!("affine {fused:?} of low rank"), CLOSE, |device| {
            let x = wave([18, 33], 0.1, device).transpose().require_grad();
            let w = wave([20, 18], 1.0, device);
            let b = wave([20], 2.0, device);
            let down = wave([3, 18], 3.0, device).require_grad();
            let up = wave([20, 3], 4.0, device).require_grad();
            let output = affine_low_rank(x.clone(), w, b, [down.clone(), up.clone()], fused);
            outcome(output, &[("input", &x), ("down", &down), ("up", &up)])
        });
    }
}

#[test]
fn smooth_functions_far_from_zero_too() {
    for function in SMOOTH {
        for scale in [1.0, 6.0] {
            compare(&format!("{function:?} up to {}", 2.0 * scale), CLOSE, |device| {
                let x = (wave([9, 31], 0.1, device) * scale).detach().require_grad();
                outcome(smooth(function, x.clone()), &[("input", &x)])
            });
        }
    }
}

#[test]
fn leaky_rectifiers() {
    for slope in [0.01, 0.2] {
        compare(&format!("leaky_relu of slope {slope}"), CLOSE, |device| {
            let x = wave([9, 31], 0.1, device).require_grad();
            outcome(leaky_relu(x.clone(), slope), &[("input", &x)])
        });
    }
}

#[test]
fn softmax_and_its_logarithm() {
    // Of large inputs the gradient is what is left of values that cancel.
    for (shape, scale, tolerance) in
        [([1, 1, 2], 1.0, CLOSE), ([3, 4, 5], 1.0, CLOSE), ([2, 7, 33], 100.0, 1e-4)]
    {
        let rows = |log: bool| {
            compare(&format!("softmax of {shape:?}, log {log}, scale {scale}"), tolerance, |device| {
                let x = (wave(shape, 0.1, device) * scale).detach().require_grad();
                let output = if log { log_softmax(x.clone()) } else { softmax(x.clone()) };
                outcome(output, &[("input", &x)])
            });
        };
        rows(false);
        rows(true);
    }
}

#[test]
fn layer_norm_of_rows() {
    for [n, features] in [[1, 7], [5, 16], [40, 33]] {
        compare(&format!("layer_norm of {n}x{features}"), CLOSE, |device| {
            let x = wave([features, n], 0.1, device).transpose().require_grad();
            let [w, b] = [1.0, 2.0].map(|phase| wave([features], phase, device).require_grad());
            let output = layer_norm(x.clone(), w.clone(), b.clone(), 1e-5);
            outcome(output, &[("input", &x), ("weight", &w), ("bias", &b)])
        });
    }
}

#[test]
fn batch_norm_by_the_batch_and_by_given_statistics() {
    for shape in [[7, 3, 1], [33, 5, 1], [4, 7, 30]] {
        let inputs = |device: &_| -> (Tensor<3>, Tensor<1>, Tensor<1>) {
            let parameter = |phase| wave([shape[1]], phase, device).require_grad();
            (wave(shape, 0.3, device).require_grad(), parameter(1.0), parameter(2.0))
        };
        compare(&format!("batch_norm_train of {shape:?}"), CLOSE, |device| {
            let (x, w, b) = inputs(device);
            let found = batch_norm_train(x.clone(), w.clone(), b.clone(), 1e-5);
            let statistics = [("mean", read(found.mean)), ("variance", read(found.variance))];
            let leaves = outcome(found.output, &[("input", &x), ("weight", &w), ("bias", &b)]);
            leaves.into_iter().chain(statistics).collect()
        });
        compare(&format!("batch_norm of {shape:?}"), CLOSE, |device| {
            let (x, w, b) = inputs(device);
            let (mean, variance) = (wave([shape[1]], 0.4, device), wave([shape[1]], 0.5, device) + 2.5);
            let output = batch_norm(x.clone(), w.clone(), b.clone(), mean, variance, 1e-5);
            outcome(output, &[("input", &x), ("weight", &w), ("bias", &b)])
        });
    }
}
