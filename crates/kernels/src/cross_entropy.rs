//! Softmax and cross-entropy in one operation, stable for logits of any size.

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, get_or_init_device_settings, tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};

use crate::{flex, tape};

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
    Tensor::from_dispatch(<Dispatch as CrossEntropyOps>::softmax_cross_entropy(
        logits.into_dispatch(),
        targets.into_dispatch(),
    ))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait CrossEntropyOps: Backend {
    fn softmax_cross_entropy(logits: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self> {
        let (rows, bools) =
            (logits.shape()[0], get_or_init_device_settings::<Self>(&logits.device()).bool_dtype);
        let product = Self::float_mul(log_softmax::<Self>(logits), targets.clone());
        // A class of no target mass adds nothing, even where its logit is minus infinity.
        let nothing = Self::float_equal_elem(targets, 0.0.into(), bools);
        let product = Self::float_mask_fill(product, nothing, 0.0.into());
        Self::float_reshape(Self::float_neg(Self::float_sum_dim(product, 1)), Shape::new([rows]))
    }

    /// The gradient of `softmax_cross_entropy` by its logits, given `grad` of shape `[n]`; `[n, k]`.
    fn softmax_cross_entropy_backward(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let rows = logits.shape()[0];
        let mass = Self::float_sum_dim(targets.clone(), 1);
        let share = Self::float_mul(Self::float_exp(log_softmax::<Self>(logits)), mass);
        Self::float_mul(Self::float_sub(share, targets), Self::float_reshape(grad, Shape::new([rows, 1])))
    }
}

fn log_softmax<B: Backend>(logits: FloatTensor<B>) -> FloatTensor<B> {
    let shifted = B::float_sub(logits.clone(), B::float_max_dim(logits, 1));
    let log_sum = B::float_log(B::float_sum_dim(B::float_exp(shifted.clone()), 1));
    B::float_sub(shifted, log_sum)
}

impl CrossEntropyOps for Flex {
    fn softmax_cross_entropy(logits: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self> {
        let [n, k] = logits.shape().dims();
        let (logits, targets) = (flex::contiguous(logits), flex::contiguous(targets));
        let mut output = flex::buffer(n);
        if k > 0 {
            let rows = flex::values(&logits).chunks_exact(k).zip(flex::values(&targets).chunks_exact(k));
            for (loss, (logits, targets)) in output.iter_mut().zip(rows) {
                let (max, log_sum) = log_sum_exp(logits);
                // A class of no target mass adds nothing, even where its logit is minus infinity.
                let terms = logits.iter().zip(targets).filter(|(_, target)| **target != 0.0);
                let terms = terms.map(|(logit, target)| f64::from(target * (log_sum - (logit - max))));
                *loss = terms.sum::<f64>() as f32;
            }
        }
        flex::tensor(output, [n])
    }

    fn softmax_cross_entropy_backward(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let k = logits.shape()[1];
        let (mut output, targets, grad) =
            (flex::contiguous(logits), flex::contiguous(targets), flex::contiguous(grad));
        if k > 0 {
            let rows = output.storage_mut::<f32>().chunks_exact_mut(k);
            let rows = rows.zip(flex::values(&targets).chunks_exact(k)).zip(flex::values(&grad));
            for ((row, targets), grad) in rows {
                let (max, log_sum) = log_sum_exp(row);
                let mass = targets.iter().copied().map(f64::from).sum::<f64>() as f32;
                for (value, target) in row.iter_mut().zip(targets) {
                    *value = (mass * (*value - max - log_sum).exp() - target) * grad;
                }
            }
        }
        output
    }
}

// Sums over the classes are float64's: one by one, float32's lose a digit for each power of ten of classes.

/// The largest logit of a row, and the logarithm of the sum of exponentials above it.
fn log_sum_exp(row: &[f32]) -> (f32, f32) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|&x| f64::from((x - max).exp())).sum();
    (max, sum.ln() as f32)
}

impl<B: CrossEntropyOps, C: CheckpointStrategy> CrossEntropyOps for Autodiff<B, C> {
    fn softmax_cross_entropy(logits: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self> {
        let targets = targets.into_primitive();
        let forward = |[logits]: [FloatTensor<B>; 1]| {
            (B::softmax_cross_entropy(logits.clone(), targets.clone()), (logits, targets))
        };
        tape::record::<B, C, _, 1>([logits], forward, |(logits, targets), grad, _| {
            [Some(B::softmax_cross_entropy_backward(logits, targets, grad))]
        })
    }
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
