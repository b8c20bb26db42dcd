//! Smooth activation functions: GELU, SiLU, sigmoid and tanh.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;
use pulp::{Simd, WithSimd};

use crate::{
    flex, math,
    simd::{self, Lanes, Update},
    tape,
    wide::{self, Function, Wide},
};

/// A smooth activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Smooth {
    /// `x Φ(x)`, with the normal distribution function itself (Hendrycks and Gimpel 2016).
    Gelu,
    /// `x / (1 + e⁻ˣ)` (Elfwing et al. 2017).
    Silu,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
}

/// `function` of every element.
#[must_use]
pub fn smooth<const D: usize>(function: Smooth, input: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as SmoothOps>::smooth(input.into_dispatch(), function))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait SmoothOps: Backend {
    fn smooth(input: FloatTensor<Self>, function: Smooth) -> FloatTensor<Self> {
        match function {
            Smooth::Gelu => Self::gelu(input),
            Smooth::Silu => Self::float_mul(Self::sigmoid(input.clone()), input),
            Smooth::Sigmoid => Self::sigmoid(input),
            Smooth::Tanh => Self::float_tanh(input),
        }
    }

    /// The gradient by the input, from what [`kept`] chose to keep.
    fn smooth_backward(
        kept: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        function: Smooth,
    ) -> FloatTensor<Self> {
        match function {
            // Φ(x) + x φ(x); Burn's own is that of an approximation by tanh.
            Smooth::Gelu => {
                let erf = Self::float_erf(Self::float_mul_scalar(kept.clone(), FRAC_1_SQRT_2.into()));
                let below = Self::float_mul_scalar(Self::float_add_scalar(erf, 1.0.into()), 0.5.into());
                let square = Self::float_mul(kept.clone(), kept.clone());
                let power = Self::float_exp(Self::float_mul_scalar(square, (-0.5).into()));
                let density = Self::float_mul_scalar(power, (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2).into());
                Self::float_mul(grad, Self::float_add(below, Self::float_mul(kept, density)))
            }
            Smooth::Silu => {
                // s + x s (1 − s)
                let s = Self::sigmoid(kept.clone());
                let rest = Self::float_add_scalar(Self::float_neg(s.clone()), 1.0.into());
                let slope = Self::float_add_scalar(Self::float_mul(kept, rest), 1.0.into());
                Self::float_mul(grad, Self::float_mul(s, slope))
            }
            Smooth::Sigmoid => Self::sigmoid_backward(kept, grad),
            Smooth::Tanh => {
                let square = Self::float_mul(kept.clone(), kept);
                Self::float_mul(grad, Self::float_add_scalar(Self::float_neg(square), 1.0.into()))
            }
        }
    }
}

/// The derivatives of GELU and SiLU need the input, those of sigmoid and tanh the output.
pub(crate) fn kept<T>(function: Smooth, input: T, output: T) -> T {
    match function {
        Smooth::Gelu | Smooth::Silu => input,
        Smooth::Sigmoid | Smooth::Tanh => output,
    }
}

/// `body` with the function's own type in the place of its name.
macro_rules! by_type {
    ($function:expr, |$f:ident| $body:expr) => {
        match $function {
            Smooth::Gelu => {
                let $f = Gelu;
                $body
            }
            Smooth::Silu => {
                let $f = Silu;
                $body
            }
            Smooth::Sigmoid => {
                let $f = Sigmoid;
                $body
            }
            Smooth::Tanh => {
                let $f = Tanh;
                $body
            }
        }
    };
}

/// `function` in the place of each value, on this thread.
pub(crate) fn values_of(function: Smooth, target: &mut [f32]) {
    by_type!(function, |f| simd::dispatch(Values { f, target }));
}

/// `function` of each value of `kept`, which is replaced by the derivative there, on this thread.
pub(crate) fn values_and_slopes(function: Smooth, output: &mut [f32], kept: &mut [f32]) {
    by_type!(function, |f| simd::dispatch(Both { f, output, kept }));
}

struct Values<'a, F> {
    f: F,
    target: &'a mut [f32],
}

impl<F: WithSlope> WithSimd for Values<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        wide::map(simd, Value(self.f), self.target);
    }
}

/// The function alone.
#[derive(Clone, Copy)]
struct Value<F>(F);

impl<F: WithSlope> Function for Value<F> {
    #[inline(always)]
    fn apply<S: Simd, const U: usize>(self, x: Wide<S, U>) -> Wide<S, U> {
        self.0.both(x).0
    }
}

/// A function and its derivative in one pass.
struct Both<'a, F> {
    f: F,
    output: &'a mut [f32],
    kept: &'a mut [f32],
}

impl<F: WithSlope> WithSimd for Both<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { f, output, kept } = self;
        let ((output, last), (kept, rest)) = (S::as_mut_simd_f32s(output), S::as_mut_simd_f32s(kept));
        let (output, kept) = (output.as_chunks_mut::<2>(), kept.as_chunks_mut::<2>());
        for i in 0..kept.0.len().min(output.0.len()) {
            let (value, slope) = f.both(Wide::new(simd, kept.0[i]));
            (output.0[i], kept.0[i]) = (value.vectors, slope.vectors);
        }
        for i in 0..kept.1.len().min(output.1.len()) {
            let (value, slope) = f.both(Wide::new(simd, [kept.1[i]]));
            (output.1[i], kept.1[i]) = (value.vectors[0], slope.vectors[0]);
        }
        if !rest.is_empty() {
            let (value, slope) = f.both(Wide::new(simd, [simd.partial_load_f32s(rest)]));
            simd.partial_store_f32s(last, value.vectors[0]);
            simd.partial_store_f32s(rest, slope.vectors[0]);
        }
    }
}

/// A function together with its derivative; what is not used of them is not computed.
trait WithSlope: Copy {
    fn both<S: Simd, const U: usize>(self, x: Wide<S, U>) -> (Wide<S, U>, Wide<S, U>);
}

macro_rules! functions {
    ($($name:ident = |$x:ident| $both:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;

        impl WithSlope for $name {
            #[inline(always)]
            fn both<S: Simd, const U: usize>(self, $x: Wide<S, U>) -> (Wide<S, U>, Wide<S, U>) {
                $both
            }
        }
    )*};
}

functions! {
    // Φ(x) + x φ(x)
    Gelu = |x| {
        let (below, density) = math::normal(x);
        (x * below, x.mul_add(density, below))
    };
    // s + x s (1 − s)
    Silu = |x| {
        let (s, rest) = (math::sigmoid(x), math::sigmoid(-x));
        (x * s, (x * s).mul_add(rest, s))
    };
    Sigmoid = |x| {
        let (s, rest) = (math::sigmoid(x), math::sigmoid(-x));
        (s, s * rest)
    };
    Tanh = |x| {
        let y = math::tanh(x);
        (y, (-y).mul_add(y, x.splat(1.0)))
    };
}

impl SmoothOps for Flex {
    fn smooth(input: FloatTensor<Self>, function: Smooth) -> FloatTensor<Self> {
        let mut output = flex::contiguous(input);
        simd::each_part(output.storage_mut(), |_, values| values_of(function, values));
        output
    }

    fn smooth_backward(
        kept: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        function: Smooth,
    ) -> FloatTensor<Self> {
        let (kept, mut grad) = (flex::contiguous(kept), flex::contiguous(grad));
        let kept = flex::values(&kept);
        match function {
            Smooth::Sigmoid => simd::update(SigmoidSlope, grad.storage_mut(), [kept]),
            Smooth::Tanh => simd::update(TanhSlope, grad.storage_mut(), [kept]),
            Smooth::Gelu | Smooth::Silu => simd::each_part(grad.storage_mut(), |first, grad| {
                let mut slopes = kept[first..][..grad.len()].to_vec();
                let mut values = vec![0.0; slopes.len()];
                values_and_slopes(function, &mut values, &mut slopes);
                simd::dispatch(Update { f: Times, target: grad, others: [&slopes] });
            }),
        }
        grad
    }
}

impl<B: SmoothOps, C: CheckpointStrategy> SmoothOps for Autodiff<B, C> {
    fn smooth(input: FloatTensor<Self>, function: Smooth) -> FloatTensor<Self> {
        let forward = |[input]: [FloatTensor<B>; 1]| {
            let output = B::smooth(input.clone(), function);
            (output.clone(), (kept(function, input, output), function))
        };
        tape::record::<B, C, _, 1>([input], forward, |(kept, function), grad, _| {
            [Some(B::smooth_backward(kept, grad, function))]
        })
    }
}

/// A gradient times a derivative.
#[derive(Clone, Copy)]
pub(crate) struct Times;

impl Lanes<1> for Times {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, grad: S::f32s, [slope]: [S::f32s; 1]) -> S::f32s {
        simd.mul_f32s(grad, slope)
    }
}

/// A gradient times `s (1 − s)`.
#[derive(Clone, Copy)]
struct SigmoidSlope;

impl Lanes<1> for SigmoidSlope {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, grad: S::f32s, [s]: [S::f32s; 1]) -> S::f32s {
        simd.mul_f32s(grad, simd.mul_f32s(s, simd.sub_f32s(simd.splat_f32s(1.0), s)))
    }
}

/// A gradient times `1 − y²`.
#[derive(Clone, Copy)]
struct TanhSlope;

impl Lanes<1> for TanhSlope {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, grad: S::f32s, [y]: [S::f32s; 1]) -> S::f32s {
        simd.mul_f32s(grad, simd.negate_mul_add_e_f32s(y, y, simd.splat_f32s(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData, Tolerance, activation};

    const ALL: [Smooth; 4] = [Smooth::Gelu, Smooth::Silu, Smooth::Sigmoid, Smooth::Tanh];

    fn plain(function: Smooth, x: Tensor<2>) -> Tensor<2> {
        match function {
            Smooth::Gelu => activation::gelu(x),
            Smooth::Silu => activation::silu(x),
            Smooth::Sigmoid => activation::sigmoid(x),
            Smooth::Tanh => x.tanh(),
        }
    }

    #[test]
    fn agree_with_burn_over_shapes_and_sizes() {
        let device = Device::flex().autodiff();
        for function in ALL {
            for (rows, columns, scale) in [(0, 3, 1.0), (1, 1, 1.0), (3, 17, 4.0), (40, 1031, 12.0)] {
                let values: Vec<f32> =
                    (0..rows * columns).map(|i| ((i * 7919 % 1013) as f32 / 506.0 - 1.0) * scale).collect();
                let x = Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device);
                for x in [x.clone(), x.transpose()] {
                    let x = x.require_grad();
                    let (ours, expected) = (smooth(function, x.clone()), plain(function, x.clone()));
                    let tolerance = Tolerance::<f32>::rel_abs(1e-5, 2e-6);
                    ours.to_data().assert_approx_eq(&expected.to_data(), tolerance);
                    let weight = Tensor::from_inner(x.clone().inner()) + 0.5;
                    let actual = x.grad(&(ours * weight.clone()).sum().backward()).unwrap();
                    let expected = x.grad(&(expected * weight).sum().backward()).unwrap();
                    actual
                        .to_data()
                        .assert_approx_eq(&expected.to_data(), Tolerance::<f32>::rel_abs(1e-5, 2e-5));
                }
            }
        }
    }

    #[test]
    fn nan_and_infinities() {
        let device = Device::flex();
        let x = Tensor::<1>::from_floats([f32::NAN, f32::INFINITY, f32::NEG_INFINITY], &device);
        let of = |function| smooth(function, x.clone()).into_data().try_to_vec::<f32>().unwrap();
        assert!(ALL.iter().all(|&function| of(function)[0].is_nan()));
        assert_eq!(of(Smooth::Sigmoid)[1..], [1.0, 0.0]);
        assert_eq!(of(Smooth::Tanh)[1..], [1.0, -1.0]);
        assert_eq!(of(Smooth::Gelu)[1], f32::INFINITY);
        assert_eq!(of(Smooth::Silu)[1], f32::INFINITY);
        // −∞ · 0, as in PyTorch.
        assert!(of(Smooth::Silu)[2].is_nan());
    }
}
