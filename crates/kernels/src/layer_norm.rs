//! Layer normalization over the last dimension.

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};
use pulp::{Simd, WithSimd};

use crate::{
    flex,
    simd::{self, Lanes, Update},
    tape,
};

/// `(x − mean) / √(variance + epsilon) · weight + bias` of each row: input `[n, features]`, weight and bias
/// `[features]`. The variance is the biased one, as in PyTorch.
///
/// J. Ba et al.: Layer normalization, 2016.
///
/// # Panics
///
/// Where the shapes do not fit each other.
#[must_use]
pub fn layer_norm(input: Tensor<2>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let ([_, features], [weights], [biases]) = (input.dims(), weight.dims(), bias.dims());
    assert!(
        features == weights && features == biases,
        "layer_norm: input features {features}, weight [{weights}], bias [{biases}]"
    );
    Tensor::from_dispatch(<Dispatch as LayerNormOps>::layer_normalization(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon as f32,
    ))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait LayerNormOps: Backend {
    fn layer_normalization(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let row = Shape::new([1, weight.shape()[0]]);
        let (normalized, _) = normalize::<Self>(input, epsilon);
        let scaled = Self::float_mul(normalized, Self::float_reshape(weight, row.clone()));
        Self::float_add(scaled, Self::float_reshape(bias, row))
    }

    /// The gradients by input, weight and bias.
    fn layer_normalization_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let features = weight.shape()[0];
        let (normalized, scale) = normalize::<Self>(input, epsilon);
        let sum = |x| Self::float_reshape(Self::float_sum_dim(x, 0), Shape::new([features]));
        let by_weight = sum(Self::float_mul(grad.clone(), normalized.clone()));
        let by_bias = sum(grad.clone());
        let g = Self::float_mul(grad, Self::float_reshape(weight, Shape::new([1, features])));
        let along = Self::float_mean_dim(Self::float_mul(g.clone(), normalized.clone()), 1);
        let centered = Self::float_sub(g.clone(), Self::float_mean_dim(g, 1));
        let rest = Self::float_sub(centered, Self::float_mul(normalized, along));
        (Self::float_mul(rest, scale), by_weight, by_bias)
    }
}

/// The rows with mean zero and variance one, and the factor that made it so.
fn normalize<B: Backend>(input: FloatTensor<B>, epsilon: f32) -> (FloatTensor<B>, FloatTensor<B>) {
    let centered = B::float_sub(input.clone(), B::float_mean_dim(input, 1));
    let variance = B::float_mean_dim(B::float_mul(centered.clone(), centered.clone()), 1);
    let scale = B::float_recip(B::float_sqrt(B::float_add_scalar(variance, epsilon.into())));
    (B::float_mul(centered, scale.clone()), scale)
}

impl LayerNormOps for Flex {
    fn layer_normalization(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let shape = input.shape();
        let (input, weight, bias) =
            (flex::contiguous(input), flex::contiguous(weight), flex::contiguous(bias));
        let (x, weight, bias) = (flex::values(&input), flex::values(&weight), flex::values(&bias));
        let mut output = flex::buffer(x.len());
        let columns = weight.len();
        simd::each_row(&mut output, columns, |row, output| {
            let x = &x[row * columns..][..columns];
            simd::dispatch(Forward { x, weight, bias, output, epsilon });
        });
        flex::tensor(output, shape)
    }

    fn layer_normalization_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (input, weight, mut grad) =
            (flex::contiguous(input), flex::contiguous(weight), flex::contiguous(grad));
        let (x, weight) = (flex::values(&input), flex::values(&weight));
        let columns = weight.len();
        let mut by_weight =
            simd::rows_and_sums(grad.storage_mut(), columns, 2 * columns, |first, rows, sums| {
                let (by_weight, by_bias) = sums.split_at_mut(columns);
                for (x, grad) in
                    x[first * columns..].chunks_exact(columns).zip(rows.chunks_exact_mut(columns))
                {
                    let (by_weight, by_bias) = (&mut *by_weight, &mut *by_bias);
                    simd::dispatch(Backward { x, weight, grad, by_weight, by_bias, epsilon });
                }
            });
        let by_bias = by_weight.split_off(columns);
        (grad, flex::tensor(by_weight, [columns]), flex::tensor(by_bias, [columns]))
    }
}

impl<B: LayerNormOps, C: CheckpointStrategy> LayerNormOps for Autodiff<B, C> {
    fn layer_normalization(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let forward = |[x, w, b]: [FloatTensor<B>; 3]| {
            (B::layer_normalization(x.clone(), w.clone(), b, epsilon), (x, w, epsilon))
        };
        tape::record::<B, C, _, 3>([input, weight, bias], forward, |(x, w, epsilon), grad, _| {
            let (input, weight, bias) = B::layer_normalization_backward(x, w, grad, epsilon);
            [Some(input), Some(weight), Some(bias)]
        })
    }
}

/// Mean and `1 / √(variance + epsilon)` of a row, in two passes: the row stays in cache.
#[inline(always)]
fn moments<S: Simd>(simd: S, x: &[f32], epsilon: f32) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = simd::sum(simd, [x], |[x]| x) / count;
    let center = simd.splat_f32s(mean);
    let square = |[x]: [S::f32s; 1]| {
        let d = simd.sub_f32s(x, center);
        simd.mul_f32s(d, d)
    };
    let variance = simd::sum(simd, [x], square) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

struct Forward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    output: &'a mut [f32],
    epsilon: f32,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (mean, scale) = moments(simd, self.x, self.epsilon);
        let others = [self.x, self.weight, self.bias];
        Update { f: Scale { mean, scale }, target: self.output, others }.with_simd(simd);
    }
}

/// `(x − mean) · scale · weight + bias`.
#[derive(Clone, Copy)]
struct Scale {
    mean: f32,
    scale: f32,
}

impl Lanes<3> for Scale {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, _: S::f32s, [x, weight, bias]: [S::f32s; 3]) -> S::f32s {
        let centered = simd.sub_f32s(x, simd.splat_f32s(self.mean));
        simd.mul_add_e_f32s(simd.mul_f32s(centered, simd.splat_f32s(self.scale)), weight, bias)
    }
}

/// Adds the gradient times the normalized input.
#[derive(Clone, Copy)]
struct AddAlong {
    mean: f32,
    scale: f32,
}

impl Lanes<2> for AddAlong {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, sum: S::f32s, [grad, x]: [S::f32s; 2]) -> S::f32s {
        let centered = simd.sub_f32s(x, simd.splat_f32s(self.mean));
        simd.mul_add_e_f32s(simd.mul_f32s(centered, simd.splat_f32s(self.scale)), grad, sum)
    }
}

/// The gradient by the input from that by the output.
#[derive(Clone, Copy)]
struct ByInput {
    mean: f32,
    scale: f32,
    mean_g: f32,
    mean_along: f32,
}

impl Lanes<2> for ByInput {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, grad: S::f32s, [weight, x]: [S::f32s; 2]) -> S::f32s {
        let splat = |value| simd.splat_f32s(value);
        let scale = splat(self.scale);
        let normalized = simd.mul_f32s(simd.sub_f32s(x, splat(self.mean)), scale);
        let g = simd.sub_f32s(simd.mul_f32s(grad, weight), splat(self.mean_g));
        simd.mul_f32s(simd.negate_mul_add_e_f32s(normalized, splat(self.mean_along), g), scale)
    }
}

struct Backward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    /// The output's gradient in, the input's out.
    grad: &'a mut [f32],
    by_weight: &'a mut [f32],
    by_bias: &'a mut [f32],
    epsilon: f32,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, weight, grad, by_weight, by_bias, epsilon } = self;
        let (mean, scale) = moments(simd, x, epsilon);
        let count = x.len() as f32;
        let (center, factor) = (simd.splat_f32s(mean), simd.splat_f32s(scale));
        let normalized = |x| simd.mul_f32s(simd.sub_f32s(x, center), factor);
        let mean_g = simd::sum(simd, [grad, weight], |[g, w]| simd.mul_f32s(g, w)) / count;
        let along = |[g, w, x]: [S::f32s; 3]| simd.mul_f32s(simd.mul_f32s(g, w), normalized(x));
        let mean_along = simd::sum(simd, [grad, weight, x], along) / count;
        Update { f: AddAlong { mean, scale }, target: by_weight, others: [grad, x] }.with_simd(simd);
        simd::SumRows { rows: grad, sums: by_bias }.with_simd(simd);
        let f = ByInput { mean, scale, mean_g, mean_along };
        Update { f, target: grad, others: [weight, x] }.with_simd(simd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData, Tolerance};

    fn wave<const D: usize>(shape: [usize; D], phase: f32, device: &Device) -> Tensor<D> {
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|i| (i as f32 * 0.7 + phase).sin() * 2.0).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Out of Burn's primitives, differentiated by Burn.
    fn plain(x: Tensor<2>, w: Tensor<1>, b: Tensor<1>, epsilon: f64) -> Tensor<2> {
        let centered = x.clone() - x.mean_dim(1);
        let variance = (centered.clone() * centered.clone()).mean_dim(1);
        centered / (variance + epsilon).sqrt() * w.unsqueeze() + b.unsqueeze()
    }

    #[test]
    fn agrees_with_burn_over_shapes() {
        let device = Device::flex().autodiff();
        for (n, features) in [(1, 1), (1, 7), (5, 16), (3, 33), (300, 128), (130, 517)] {
            let x = wave([features, n], 0.1, &device).transpose().require_grad();
            let (w, b) = (
                wave([features], 1.0, &device).require_grad(),
                wave([features], 2.0, &device).require_grad(),
            );
            let ours = layer_norm(x.clone(), w.clone(), b.clone(), 1e-5);
            let expected = plain(x.clone(), w.clone(), b.clone(), 1e-5);
            let tolerance = Tolerance::<f32>::rel_abs(1e-4, 1e-4);
            ours.to_data().assert_approx_eq(&expected.to_data(), tolerance);
            let weights = wave([n, features], 3.0, &device);
            let actual = (ours * weights.clone()).sum().backward();
            let expected = (expected * weights).sum().backward();
            let close = |a: TensorData, b: TensorData| a.assert_approx_eq::<f32>(&b, tolerance);
            close(x.grad(&actual).unwrap().to_data(), x.grad(&expected).unwrap().to_data());
            close(w.grad(&actual).unwrap().to_data(), w.grad(&expected).unwrap().to_data());
            close(b.grad(&actual).unwrap().to_data(), b.grad(&expected).unwrap().to_data());
        }
    }

    #[test]
    fn agrees_with_float64_far_from_zero() {
        let device = Device::flex();
        let values: Vec<f32> = (0..1000).map(|i| 1000.0 + (i as f32 * 0.37).sin()).collect();
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / 1000.0;
        let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / 1000.0;
        let x = Tensor::<2>::from_data(TensorData::new(values.clone(), [1, 1000]), &device);
        let y = layer_norm(x, Tensor::ones([1000], &device), Tensor::zeros([1000], &device), 1e-5);
        for (y, x) in y.into_data().try_to_vec::<f32>().unwrap().iter().zip(values) {
            let exact = (f64::from(x) - mean) / (variance + 1e-5).sqrt();
            assert!((f64::from(*y) - exact).abs() < 2e-4, "{y} {exact}");
        }
    }

    #[test]
    fn nan_stays_in_its_row_and_an_empty_batch_passes() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[f32::NAN, 1.0], [1.0, 2.0]], &device);
        let (w, b) = (Tensor::<1>::ones([2], &device), Tensor::<1>::zeros([2], &device));
        let y = layer_norm(x, w.clone(), b.clone(), 1e-5).into_data().try_to_vec::<f32>().unwrap();
        assert!(y[0].is_nan() && y[1].is_nan() && y[2..].iter().all(|y| y.is_finite()));
        assert_eq!(layer_norm(Tensor::zeros([0, 2], &device), w, b, 1e-5).dims(), [0, 2]);
    }
}
