//! Softmax and cross-entropy in one operation, stable for logits of any size.

use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, tensor::FloatTensor};
use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;

use crate::Kernels;

/// `-Σₖ targetsₖ · log softmax(logits)ₖ` of each row, in nats: logits `[n, k]`, targets `[n, k]`, losses `[n]`.
///
/// A target row is a distribution over the classes (one-hot, or smoothed). No gradient flows to the targets.
///
/// # Panics
///
/// Where the shapes differ.
#[must_use]
pub fn softmax_cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    assert_eq!(logits.dims(), targets.dims(), "softmax_cross_entropy: logits and targets");
    Tensor::from_dispatch(<Dispatch as Kernels>::softmax_cross_entropy(
        logits.into_dispatch(),
        targets.into_dispatch(),
    ))
}

fn log_softmax<B: Backend>(logits: FloatTensor<B>) -> FloatTensor<B> {
    let shifted = B::float_sub(logits.clone(), B::float_max_dim(logits, 1));
    let log_sum = B::float_log(B::float_sum_dim(B::float_exp(shifted.clone()), 1));
    B::float_sub(shifted, log_sum)
}

pub(crate) fn forward_reference<B: Backend>(
    logits: FloatTensor<B>,
    targets: FloatTensor<B>,
) -> FloatTensor<B> {
    let rows = logits.shape()[0];
    let product = B::float_mul(log_softmax::<B>(logits), targets);
    B::float_reshape(B::float_neg(B::float_sum_dim(product, 1)), Shape::new([rows]))
}

pub(crate) fn backward_reference<B: Backend>(
    logits: FloatTensor<B>,
    targets: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    let rows = logits.shape()[0];
    let mass = B::float_sum_dim(targets.clone(), 1);
    let difference = B::float_sub(B::float_mul(B::float_exp(log_softmax::<B>(logits)), mass), targets);
    B::float_mul(difference, B::float_reshape(grad, Shape::new([rows, 1])))
}

/// The largest logit of a row, and the logarithm of the sum of exponentials above it.
fn log_sum_exp(row: &[f32]) -> (f32, f32) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = row.iter().map(|&x| (x - max).exp()).sum();
    (max, sum.ln())
}

fn rows(tensor: &FlexTensor) -> (usize, &[f32]) {
    (tensor.shape()[1], tensor.as_slice().expect("made contiguous by the caller"))
}

pub(crate) fn forward_flex(logits: FloatTensor<Flex>, targets: FloatTensor<Flex>) -> FloatTensor<Flex> {
    let (logits, targets) = (logits.to_contiguous(), targets.to_contiguous());
    let n = logits.shape()[0];
    let mut output = FlexTensor::zeros(Shape::new([n]), logits.dtype());
    let ((k, logits), (_, targets)) = (rows(&logits), rows(&targets));
    if k > 0 {
        let rows = logits.chunks_exact(k).zip(targets.chunks_exact(k));
        for (loss, (logits, targets)) in output.storage_mut::<f32>().iter_mut().zip(rows) {
            let (max, log_sum) = log_sum_exp(logits);
            // A class of no target mass adds nothing, even where its logit is minus infinity.
            let terms = logits.iter().zip(targets).filter(|(_, target)| **target != 0.0);
            *loss = terms.map(|(logit, target)| target * (log_sum - (logit - max))).sum();
        }
    }
    output
}

pub(crate) fn backward_flex(
    logits: FloatTensor<Flex>,
    targets: FloatTensor<Flex>,
    grad: FloatTensor<Flex>,
) -> FloatTensor<Flex> {
    let (mut output, targets, grad) = (logits.to_contiguous(), targets.to_contiguous(), grad.to_contiguous());
    let (k, targets) = rows(&targets);
    let grad: &[f32] = grad.as_slice().expect("contiguous by the line above");
    if k > 0 {
        let rows = output.storage_mut::<f32>().chunks_exact_mut(k).zip(targets.chunks_exact(k));
        for ((row, targets), grad) in rows.zip(grad) {
            let (max, log_sum) = log_sum_exp(row);
            let mass: f32 = targets.iter().sum();
            for (value, target) in row.iter_mut().zip(targets) {
                *value = (mass * (*value - max - log_sum).exp() - target) * grad;
            }
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData, Tolerance, activation::log_softmax};

    fn case(n: usize, k: usize, scale: f32, device: &Device) -> (Tensor<2>, Tensor<2>) {
        let logits: Vec<f32> =
            (0..n * k).map(|i| (((i * 53 + 7) % 89) as f32 / 44.0 - 1.0) * scale).collect();
        let mut targets = vec![0.1 / k as f32; n * k];
        (0..n).for_each(|row| targets[row * k + (row * 7) % k] += 0.9);
        let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [n, k]), device);
        (tensor(logits), tensor(targets))
    }

    #[test]
    fn agrees_with_burn_over_shapes_and_sizes_of_logits() {
        let device = Device::flex().autodiff();
        for (n, k, scale) in [(1, 2, 1.0), (7, 10, 3.0), (64, 10, 100.0), (3, 1000, 5.0)] {
            let (logits, targets) = case(n, k, scale, &device);
            let logits = logits.require_grad();
            let plain = (log_softmax(logits.clone(), 1) * targets.clone()).sum_dim(1).neg().reshape([n]);
            let ours = softmax_cross_entropy(logits.clone(), targets);
            ours.to_data().assert_approx_eq(&plain.to_data(), Tolerance::<f32>::rel_abs(1e-5, 1e-5));
            let expected = logits.grad(&plain.mean().backward()).unwrap();
            let actual = logits.grad(&ours.mean().backward()).unwrap();
            actual.to_data().assert_approx_eq(&expected.to_data(), Tolerance::<f32>::absolute(1e-6));
        }
    }

    #[test]
    fn large_logits_neither_overflow_nor_vanish() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_floats([[1000.0, 0.0], [-1000.0, f32::NEG_INFINITY]], &device);
        let targets = Tensor::<2>::from_floats([[0.0, 1.0], [1.0, 0.0]], &device);
        let losses = softmax_cross_entropy(logits, targets).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(losses, [1000.0, 0.0]);
    }

    #[test]
    fn nan_and_empty_batches_pass() {
        let device = Device::flex();
        let nan = Tensor::<2>::from_floats([[f32::NAN, 0.0]], &device);
        let target = Tensor::<2>::from_floats([[0.0, 1.0]], &device);
        assert!(softmax_cross_entropy(nan, target).into_scalar::<f32>().is_nan());
        let empty = Tensor::<2>::zeros([0, 3], &device);
        assert_eq!(softmax_cross_entropy(empty.clone(), empty).dims(), [0]);
    }
}
