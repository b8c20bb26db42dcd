//! The weighted sum of two tensors, written over the first.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;
use pulp::Simd;

use crate::{flex, simd};

/// `a · x + b · y` in one pass, in the memory of `x` where nothing else holds it.
///
/// # Panics
///
/// Where the shapes differ.
#[must_use]
pub fn axpby<const D: usize>(a: f64, x: Tensor<D>, b: f64, y: Tensor<D>) -> Tensor<D> {
    assert_eq!(x.dims(), y.dims(), "axpby: x and y");
    Tensor::from_dispatch(<Dispatch as AxpbyOps>::axpby(
        x.into_dispatch(),
        y.into_dispatch(),
        a as f32,
        b as f32,
    ))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait AxpbyOps: Backend {
    fn axpby(x: FloatTensor<Self>, y: FloatTensor<Self>, a: f32, b: f32) -> FloatTensor<Self> {
        Self::float_add(Self::float_mul_scalar(x, a.into()), Self::float_mul_scalar(y, b.into()))
    }
}

impl AxpbyOps for Flex {
    fn axpby(x: FloatTensor<Self>, y: FloatTensor<Self>, a: f32, b: f32) -> FloatTensor<Self> {
        let (mut x, y) = (flex::contiguous(x), flex::contiguous(y));
        simd::update(Weighted { a, b }, x.storage_mut(), [flex::values(&y)]);
        x
    }
}

// What uses it works below autodiff; a tracked sum is made of Burn's operations.
impl<B: AxpbyOps, C: CheckpointStrategy> AxpbyOps for Autodiff<B, C> {}

/// `a · x + b · y`.
#[derive(Clone, Copy)]
pub(crate) struct Weighted {
    pub(crate) a: f32,
    pub(crate) b: f32,
}

impl simd::Lanes<1> for Weighted {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::f32s, [y]: [S::f32s; 1]) -> S::f32s {
        let (a, b) = (simd.splat_f32s(self.a), simd.splat_f32s(self.b));
        simd.add_f32s(simd.mul_f32s(a, x), simd.mul_f32s(b, y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData, Tolerance};

    #[test]
    fn agrees_with_burn_and_leaves_shared_tensors_alone() {
        let device = Device::flex();
        let ramp = |start: f32| -> Tensor<2> {
            let values: Vec<f32> = (0..35).map(|i| start + i as f32 / 7.0).collect();
            Tensor::from_data(TensorData::new(values, [5, 7]), &device)
        };
        let (x, y) = (ramp(-2.0), ramp(1.0));
        let strided = ramp(1.0).transpose().mul_scalar(1.0).transpose();
        let expected = x.clone() * 0.9 - y.clone() * 0.01;
        for y in [y.clone(), strided] {
            let actual = axpby(0.9, x.clone(), -0.01, y);
            actual.to_data().assert_approx_eq(&expected.to_data(), Tolerance::<f32>::absolute(1e-6));
        }
        x.to_data().assert_eq(&ramp(-2.0).to_data(), true);
    }
}
