//! Softmax and its logarithm over the last dimension.

#[cfg(test)]
mod tests;

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::Tensor;
use pulp::{Simd, WithSimd};

use crate::{
    flex, math,
    simd::{self, Lanes},
    tape,
    wide::{self, Function, Wide},
};

/// `exp(x) / Σ exp(x)` over the last dimension, for inputs of any size: the largest is subtracted first.
///
/// A row with a NaN or with +∞ is NaN, and so is one of nothing but −∞, as in PyTorch.
#[must_use]
pub fn softmax<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as SoftmaxOps>::softmax_rows(input.into_dispatch(), false))
}

/// The logarithm of [`softmax`], which keeps its digits where the softmax itself would be zero.
#[must_use]
pub fn log_softmax<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as SoftmaxOps>::softmax_rows(input.into_dispatch(), true))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait SoftmaxOps: Backend {
    fn softmax_rows(input: FloatTensor<Self>, log: bool) -> FloatTensor<Self> {
        let last = input.shape().num_dims() - 1;
        let shifted = Self::float_sub(input.clone(), Self::float_max_dim(input, last));
        let powers = Self::float_exp(shifted.clone());
        let sum = Self::float_sum_dim(powers.clone(), last);
        if log { Self::float_sub(shifted, Self::float_log(sum)) } else { Self::float_div(powers, sum) }
    }

    /// The gradient by the input, from the output: `y (g − Σ g y)`, and `g − eʸ Σ g` of the logarithm.
    fn softmax_rows_backward(
        output: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        log: bool,
    ) -> FloatTensor<Self> {
        let last = output.shape().num_dims() - 1;
        if log {
            let sum = Self::float_sum_dim(grad.clone(), last);
            Self::float_sub(grad, Self::float_mul(Self::float_exp(output), sum))
        } else {
            let sum = Self::float_sum_dim(Self::float_mul(grad.clone(), output.clone()), last);
            Self::float_mul(output, Self::float_sub(grad, sum))
        }
    }
}

impl SoftmaxOps for Flex {
    fn softmax_rows(input: FloatTensor<Self>, log: bool) -> FloatTensor<Self> {
        let shape = input.shape();
        let columns = shape[shape.num_dims() - 1];
        let input = flex::contiguous(input);
        let x = flex::values(&input);
        let mut output = flex::buffer(x.len());
        simd::each_row(&mut output, columns, |row, output| {
            simd::dispatch(Forward { x: &x[row * columns..][..columns], output, log });
        });
        flex::tensor(output, shape)
    }

    fn softmax_rows_backward(
        output: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        log: bool,
    ) -> FloatTensor<Self> {
        let shape = output.shape();
        let columns = shape[shape.num_dims() - 1];
        let (output, mut grad) = (flex::contiguous(output), flex::contiguous(grad));
        let y = flex::values(&output);
        simd::each_row(grad.storage_mut(), columns, |row, grad| {
            simd::dispatch(Backward { y: &y[row * columns..][..columns], grad, log });
        });
        grad
    }
}

impl<B: SoftmaxOps, C: CheckpointStrategy> SoftmaxOps for Autodiff<B, C> {
    fn softmax_rows(input: FloatTensor<Self>, log: bool) -> FloatTensor<Self> {
        let forward = |[input]: [FloatTensor<B>; 1]| {
            let output = B::softmax_rows(input, log);
            (output.clone(), (output, log))
        };
        tape::record::<B, C, _, 1>([input], forward, |(output, log), grad, _| {
            [Some(B::softmax_rows_backward(output, grad, log))]
        })
    }
}

/// One row.
struct Forward<'a> {
    x: &'a [f32],
    output: &'a mut [f32],
    log: bool,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, output, log } = self;
        let max = largest(simd, x);
        output.copy_from_slice(x);
        wide::map(simd, Power(max), output);
        let sum = simd::sum(simd, [output], |[y]| y);
        if log {
            simd::Update { f: Minus(max, sum.ln()), target: output, others: [x] }.with_simd(simd);
        } else {
            simd::Update { f: Times(1.0 / sum), target: output, others: [] }.with_simd(simd);
        }
    }
}

/// The largest value; any value where there is a NaN, which the sum of powers will show.
#[inline(always)]
pub(crate) fn largest<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (vectors, rest) = S::as_simd_f32s(x);
    let mut best = [simd.splat_f32s(f32::NEG_INFINITY); 4];
    let (groups, single) = vectors.as_chunks::<4>();
    for group in groups {
        for (best, &value) in best.iter_mut().zip(group) {
            *best = simd.max_f32s(*best, value);
        }
    }
    for &value in single {
        best[0] = simd.max_f32s(best[0], value);
    }
    let [a, b, c, d] = best;
    let best = simd.reduce_max_f32s(simd.max_f32s(simd.max_f32s(a, b), simd.max_f32s(c, d)));
    rest.iter().fold(best, |best, &value| if value > best { value } else { best })
}

/// `e^(x − max)`.
#[derive(Clone, Copy)]
pub(crate) struct Power(pub(crate) f32);

impl Function for Power {
    #[inline(always)]
    fn apply<S: Simd, const U: usize>(self, x: Wide<S, U>) -> Wide<S, U> {
        math::exp_of_negative(x - x.splat(self.0))
    }
}

/// `x − a − b`.
#[derive(Clone, Copy)]
struct Minus(f32, f32);

impl Lanes<1> for Minus {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, _: S::f32s, [x]: [S::f32s; 1]) -> S::f32s {
        simd.sub_f32s(simd.sub_f32s(x, simd.splat_f32s(self.0)), simd.splat_f32s(self.1))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Times(pub(crate) f32);

impl Lanes<0> for Times {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::f32s, []: [S::f32s; 0]) -> S::f32s {
        simd.mul_f32s(x, simd.splat_f32s(self.0))
    }
}

/// One row.
pub(crate) struct Backward<'a> {
    pub(crate) y: &'a [f32],
    /// The output's gradient in, the input's out.
    pub(crate) grad: &'a mut [f32],
    pub(crate) log: bool,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { y, grad, log } = self;
        if log {
            let sum = simd::sum(simd, [grad], |[g]| g);
            simd::Update { f: LogSlope(sum), target: grad, others: [y] }.with_simd(simd);
        } else {
            let sum = simd::sum(simd, [grad, y], |[g, y]| simd.mul_f32s(g, y));
            simd::Update { f: Slope(sum), target: grad, others: [y] }.with_simd(simd);
        }
    }
}

/// `y (g − sum)`.
#[derive(Clone, Copy)]
struct Slope(f32);

impl Lanes<1> for Slope {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, grad: S::f32s, [y]: [S::f32s; 1]) -> S::f32s {
        simd.mul_f32s(y, simd.sub_f32s(grad, simd.splat_f32s(self.0)))
    }
}

/// `g − eʸ sum`.
#[derive(Clone, Copy)]
struct LogSlope(f32);

impl Lanes<1> for LogSlope {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, grad: S::f32s, [y]: [S::f32s; 1]) -> S::f32s {
        simd.negate_mul_add_e_f32s(math::exp(Wide::new(simd, [y])).vectors[0], simd.splat_f32s(self.0), grad)
    }
}
