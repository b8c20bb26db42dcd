//! Smooth activation functions: GELU, SiLU, sigmoid and tanh.

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::Tensor;
use pulp::Simd;

use crate::{flex, math, simd, simd::Lanes, tape};

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

#[backend_extension(Autodiff, Flex)]
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
            Smooth::Gelu => Self::gelu_backward(kept, grad),
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
fn kept<T>(function: Smooth, input: T, output: T) -> T {
    match function {
        Smooth::Gelu | Smooth::Silu => input,
        Smooth::Sigmoid | Smooth::Tanh => output,
    }
}

impl SmoothOps for Flex {
    fn smooth(input: FloatTensor<Self>, function: Smooth) -> FloatTensor<Self> {
        let shape = input.shape();
        let input = flex::contiguous(input);
        let x = flex::values(&input);
        let mut output = flex::buffer(x.len());
        match function {
            Smooth::Gelu => simd::update(Gelu, &mut output, [x]),
            Smooth::Silu => simd::update(Silu, &mut output, [x]),
            Smooth::Sigmoid => simd::update(Sigmoid, &mut output, [x]),
            Smooth::Tanh => simd::update(Tanh, &mut output, [x]),
        }
        flex::tensor(output, shape)
    }

    fn smooth_backward(
        kept: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        function: Smooth,
    ) -> FloatTensor<Self> {
        let (kept, mut grad) = (flex::contiguous(kept), flex::contiguous(grad));
        let (kept, target) = (flex::values(&kept), grad.storage_mut());
        match function {
            Smooth::Gelu => simd::update(GeluSlope, target, [kept]),
            Smooth::Silu => simd::update(SiluSlope, target, [kept]),
            Smooth::Sigmoid => simd::update(SigmoidSlope, target, [kept]),
            Smooth::Tanh => simd::update(TanhSlope, target, [kept]),
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

/// One function over vectors: of the input alone, or of a gradient and what was kept.
macro_rules! lanes {
    ($($name:ident = |$simd:ident, $target:pat_param, $kept:ident| $value:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;

        impl Lanes<1> for $name {
            #[inline(always)]
            fn apply<S: Simd>(self, $simd: S, $target: S::f32s, [$kept]: [S::f32s; 1]) -> S::f32s {
                $value
            }
        }
    )*};
}

lanes! {
    Gelu = |simd, _, x| simd.mul_f32s(x, math::normal(simd, x).0);
    // Φ(x) + x φ(x)
    GeluSlope = |simd, grad, x| {
        let (below, density) = math::normal(simd, x);
        simd.mul_f32s(grad, simd.mul_add_e_f32s(x, density, below))
    };
    Silu = |simd, _, x| simd.mul_f32s(x, math::sigmoid(simd, x));
    // s + x s (1 − s)
    SiluSlope = |simd, grad, x| {
        let s = math::sigmoid(simd, x);
        let rest = math::sigmoid(simd, simd.neg_f32s(x));
        simd.mul_f32s(grad, simd.mul_add_e_f32s(simd.mul_f32s(x, s), rest, s))
    };
    Sigmoid = |simd, _, x| math::sigmoid(simd, x);
    SigmoidSlope = |simd, grad, s| {
        simd.mul_f32s(grad, simd.mul_f32s(s, simd.sub_f32s(simd.splat_f32s(1.0), s)))
    };
    Tanh = |simd, _, x| math::tanh(simd, x);
    TanhSlope = |simd, grad, y| {
        simd.mul_f32s(grad, simd.negate_mul_add_e_f32s(y, y, simd.splat_f32s(1.0)))
    };
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
