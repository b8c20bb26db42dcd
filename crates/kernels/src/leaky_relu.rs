//! The leaky rectifier of any slope.

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;
use pulp::Simd;

use crate::{
    flex,
    simd::{self, Lanes},
    tape,
};

/// `x` where that is positive, `slope · x` elsewhere (Maas et al. 2013).
///
/// # Panics
///
/// Where the slope is not above 0 and at most 1: the output's sign would not tell that of the input.
#[must_use]
pub fn leaky_relu<const D: usize>(input: Tensor<D>, slope: f64) -> Tensor<D> {
    assert!(slope > 0.0 && slope <= 1.0, "leaky_relu: a slope of {slope}");
    Tensor::from_dispatch(<Dispatch as LeakyReluOps>::leak(input.into_dispatch(), slope))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait LeakyReluOps: Backend {
    fn leak(input: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        Self::leaky_relu(input, slope.into())
    }

    /// The gradient by the input, from the output.
    fn leak_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        let above = Self::float_mul_scalar(Self::relu_backward(output, grad.clone()), (1.0 - slope).into());
        Self::float_add(Self::float_mul_scalar(grad, slope.into()), above)
    }
}

impl LeakyReluOps for Flex {
    fn leak(input: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        let mut output = flex::contiguous(input);
        simd::update(Leak(slope as f32), output.storage_mut(), []);
        output
    }

    fn leak_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        let (output, mut grad) = (flex::contiguous(output), flex::contiguous(grad));
        simd::update(LeakSlope(slope as f32), grad.storage_mut(), [flex::values(&output)]);
        grad
    }
}

impl<B: LeakyReluOps, C: CheckpointStrategy> LeakyReluOps for Autodiff<B, C> {
    fn leak(input: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        let forward = |[input]: [FloatTensor<B>; 1]| {
            let output = B::leak(input, slope);
            (output.clone(), (output, slope))
        };
        tape::record::<B, C, _, 1>([input], forward, |(output, slope), grad, _| {
            [Some(B::leak_backward(output, grad, slope))]
        })
    }
}

#[derive(Clone, Copy)]
struct Leak(f32);

impl Lanes<0> for Leak {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::f32s, []: [S::f32s; 0]) -> S::f32s {
        let leaked = simd.mul_f32s(x, simd.splat_f32s(self.0));
        simd.select_f32s(simd.less_than_f32s(simd.splat_f32s(0.0), x), x, leaked)
    }
}

/// A gradient times the derivative, by the output's sign.
#[derive(Clone, Copy)]
struct LeakSlope(f32);

impl Lanes<1> for LeakSlope {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, grad: S::f32s, [output]: [S::f32s; 1]) -> S::f32s {
        let leaked = simd.mul_f32s(grad, simd.splat_f32s(self.0));
        simd.select_f32s(simd.less_than_f32s(simd.splat_f32s(0.0), output), grad, leaked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData, Tolerance, activation};

    #[test]
    fn agrees_with_burn_over_slopes_sizes_and_strides() {
        let device = Device::flex().autodiff();
        for slope in [0.01, 0.2, 1.0] {
            for (rows, columns) in [(0, 3), (1, 1), (3, 17), (40, 1031)] {
                let values: Vec<f32> =
                    (0..rows * columns).map(|i| (i * 7919 % 1013) as f32 - 506.0).collect();
                let x = Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device);
                for x in [x.clone(), x.transpose()] {
                    let x = x.require_grad();
                    let (ours, plain) =
                        (leaky_relu(x.clone(), slope), activation::leaky_relu(x.clone(), slope));
                    ours.to_data().assert_approx_eq(&plain.to_data(), Tolerance::<f32>::rel_abs(1e-6, 0.0));
                    // Zero has the slope of the negative side, as in PyTorch; Burn's own has the other.
                    let weight = Tensor::from_inner(x.clone().inner().not_equal_elem(0.0).float()) * 3.0;
                    let actual = x.grad(&(ours * weight.clone()).sum().backward()).unwrap();
                    let expected = x.grad(&(plain * weight).sum().backward()).unwrap();
                    actual
                        .to_data()
                        .assert_approx_eq(&expected.to_data(), Tolerance::<f32>::rel_abs(1e-6, 0.0));
                }
            }
        }
        let x = Tensor::<1>::from_floats([f32::NAN, f32::NEG_INFINITY], &Device::flex());
        let [nan, low] = leaky_relu(x, 0.5).into_data().try_to_vec::<f32>().unwrap()[..] else { panic!() };
        assert!(nan.is_nan() && low == f32::NEG_INFINITY);
    }
}
