//! Batch normalization.

mod moments;
#[cfg(test)]
mod tests;

use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, Flex, TensorMetadata,
    autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension, tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};
use pulp::Simd;

use crate::{flex, simd::Lanes, tape};
use moments::Planes;

/// What [`batch_norm_train`] returns.
#[derive(Debug, Clone)]
pub struct BatchNormalized {
    /// The normalized input, in its shape.
    pub output: Tensor<3>,
    /// The mean of each channel, `[channels]`; no gradient flows through it.
    pub mean: Tensor<1>,
    /// The biased variance of each channel, `[channels]`; no gradient flows through it.
    pub variance: Tensor<1>,
}

/// `(x − mean) / √(variance + epsilon) · weight + bias` with the mean and the biased variance of the batch: input
/// `[n, channels, positions]`, weight and bias `[channels]`. The gradient knows that the statistics depend on the input.
///
/// A NaN or an infinity makes its channel NaN, its mean and variance too. Those of no values are NaN.
///
/// S. Ioffe, C. Szegedy: Batch normalization, 2015.
///
/// # Panics
///
/// Where the shapes do not fit each other.
#[must_use]
pub fn batch_norm_train(
    input: Tensor<3>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> BatchNormalized {
    check(&input, [&weight, &bias]);
    let (output, mean, variance) = <Dispatch as BatchNormOps>::normalize_by_batch(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon as f32,
    );
    BatchNormalized {
        output: Tensor::from_dispatch(output),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// The same with a given mean and variance, `[channels]` each, to which no gradient flows.
///
/// # Panics
///
/// Where the shapes do not fit each other.
#[must_use]
pub fn batch_norm(
    input: Tensor<3>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    epsilon: f64,
) -> Tensor<3> {
    check(&input, [&weight, &bias]);
    check(&input, [&mean, &variance]);
    Tensor::from_dispatch(<Dispatch as BatchNormOps>::normalize_by(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        epsilon as f32,
    ))
}

fn check(input: &Tensor<3>, of_channels: [&Tensor<1>; 2]) {
    let [_, channels, _] = input.dims();
    for tensor in of_channels {
        assert_eq!(tensor.dims(), [channels], "batch_norm: a tensor for an input of {:?}", input.dims());
    }
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait BatchNormOps: Backend {
    /// The output, the mean and the biased variance.
    fn normalize_by_batch(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let found = Self::batch_norm_train(input, weight, bias, epsilon.into());
        (found.output, found.mean, found.variance)
    }

    fn normalize_by(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        Self::batch_norm(input, weight, bias, mean, variance, epsilon.into())
    }

    /// The gradients by input, weight and bias; `of_batch` where the statistics are those of the input.
    fn normalize_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f32,
        of_batch: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        if of_batch {
            let found = Self::batch_norm_train_backward(input, weight, mean, variance, epsilon.into(), grad);
            return (found.x_grad, found.gamma_grad, found.beta_grad);
        }
        let channels = weight.shape()[0];
        let along = |tensor| Self::float_reshape(tensor, Shape::new([1, channels, 1]));
        let sum = |tensor| {
            let sum = Self::float_sum_dim(Self::float_sum_dim(tensor, 0), 2);
            Self::float_reshape(sum, Shape::new([channels]))
        };
        let deviation = Self::float_sqrt(Self::float_add_scalar(variance, epsilon.into()));
        let scale = along(Self::float_recip(deviation));
        let normalized = Self::float_mul(Self::float_sub(input, along(mean)), scale.clone());
        let by_weight = sum(Self::float_mul(grad.clone(), normalized));
        let by_bias = sum(grad.clone());
        (Self::float_mul(grad, Self::float_mul(scale, along(weight))), by_weight, by_bias)
    }
}

impl BatchNormOps for Flex {
    fn normalize_by_batch(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let planes = Planes::new(input.shape().dims());
        let input = flex::contiguous(input);
        let (mean, variance) = planes.moments(flex::values(&input));
        let [mean, variance] = [mean, variance].map(|values| flex::tensor(values, [planes.channels]));
        (Self::normalize_by(input, weight, bias, mean.clone(), variance.clone(), epsilon), mean, variance)
    }

    fn normalize_by(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let shape = input.shape();
        let planes = Planes::new(shape.dims());
        let [input, weight, bias, mean, variance] =
            [input, weight, bias, mean, variance].map(flex::contiguous);
        let (x, bias, mean) = (flex::values(&input), flex::values(&bias), flex::values(&mean));
        let scale = inverse_deviations(flex::values(&variance), epsilon);
        let factor: Vec<f32> = scale.iter().zip(flex::values(&weight)).map(|(s, w)| s * w).collect();
        let mut output = flex::buffer(x.len());
        planes.update(&mut output, Scale, x, [mean, &factor, bias, bias]);
        flex::tensor(output, shape)
    }

    fn normalize_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f32,
        of_batch: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let planes = Planes::new(input.shape().dims());
        let [input, weight, mean, variance, mut grad] =
            [input, weight, mean, variance, grad].map(flex::contiguous);
        let [x, weight, mean] = [&input, &weight, &mean].map(flex::values);
        let scale = inverse_deviations(flex::values(&variance), epsilon);
        let [by_bias, along] = planes.gradient_sums(x, mean, flex::values(&grad));
        let by_weight: Vec<_> =
            along.iter().zip(&scale).map(|(sum, scale)| sum * f64::from(*scale)).collect();
        let factor: Vec<f32> = scale.iter().zip(weight).map(|(s, w)| s * w).collect();
        if of_batch {
            // g − mean of g − normalized · mean of g · normalized, all times factor
            let count = planes.count() as f64;
            let mean_grad: Vec<_> = by_bias.iter().map(|sum| (sum / count) as f32).collect();
            let tilt: Vec<_> =
                by_weight.iter().zip(&scale).map(|(sum, s)| (sum / count * f64::from(*s)) as f32).collect();
            planes.update(grad.storage_mut(), Slope, x, [mean, &factor, &mean_grad, &tilt]);
        } else {
            planes.update(grad.storage_mut(), Times, x, [&factor; 4]);
        }
        let tensor = |sums: Vec<f64>| {
            flex::tensor(sums.into_iter().map(|sum| sum as f32).collect(), [planes.channels])
        };
        (grad, tensor(by_weight), tensor(by_bias))
    }
}

/// `1 / √(variance + epsilon)`.
fn inverse_deviations(variance: &[f32], epsilon: f32) -> Vec<f32> {
    variance.iter().map(|variance| 1.0 / (variance + epsilon).sqrt()).collect()
}

impl<B: BatchNormOps, C: CheckpointStrategy> BatchNormOps for Autodiff<B, C> {
    fn normalize_by_batch(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        // A node has one output; the statistics leave past it, untracked.
        let mut statistics = None;
        let forward = |[x, w, b]: [FloatTensor<B>; 3]| {
            let (output, mean, variance) = B::normalize_by_batch(x.clone(), w.clone(), b, epsilon);
            statistics = Some((mean.clone(), variance.clone()));
            (output, (x, w, mean, variance, epsilon))
        };
        let inputs = [input, weight, bias];
        let output =
            tape::record::<B, C, _, 3>(inputs, forward, |(x, w, mean, variance, epsilon), grad, _| {
                let (input, weight, bias) = B::normalize_backward(x, w, mean, variance, grad, epsilon, true);
                [Some(input), Some(weight), Some(bias)]
            });
        let (mean, variance) = statistics.expect("the forward pass has run");
        (output, Self::from_inner(mean), Self::from_inner(variance))
    }

    fn normalize_by(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let (mean, variance) = (mean.into_primitive(), variance.into_primitive());
        let forward = |[x, w, b]: [FloatTensor<B>; 3]| {
            let output = B::normalize_by(x.clone(), w.clone(), b, mean.clone(), variance.clone(), epsilon);
            (output, (x, w, mean, variance, epsilon))
        };
        let inputs = [input, weight, bias];
        tape::record::<B, C, _, 3>(inputs, forward, |(x, w, mean, variance, epsilon), grad, _| {
            let (input, weight, bias) = B::normalize_backward(x, w, mean, variance, grad, epsilon, false);
            [Some(input), Some(weight), Some(bias)]
        })
    }
}

/// `(x − mean) · factor + bias`: subtracting first keeps the digits of data far from zero.
#[derive(Clone, Copy)]
struct Scale;

impl Lanes<5> for Scale {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, _: S::f32s, [x, mean, factor, bias, _]: [S::f32s; 5]) -> S::f32s {
        simd.mul_add_e_f32s(simd.sub_f32s(x, mean), factor, bias)
    }
}

/// `(g − mean of g − (x − mean) · tilt) · factor`.
#[derive(Clone, Copy)]
struct Slope;

impl Lanes<5> for Slope {
    #[inline(always)]
    fn apply<S: Simd>(
        self,
        simd: S,
        grad: S::f32s,
        [x, mean, factor, mean_grad, tilt]: [S::f32s; 5],
    ) -> S::f32s {
        let centered = simd.sub_f32s(grad, mean_grad);
        simd.mul_f32s(simd.negate_mul_add_e_f32s(simd.sub_f32s(x, mean), tilt, centered), factor)
    }
}

#[derive(Clone, Copy)]
struct Times;

impl Lanes<5> for Times {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, grad: S::f32s, [_, factor, ..]: [S::f32s; 5]) -> S::f32s {
        simd.mul_f32s(grad, factor)
    }
}
