//! The weighted sum of two tensors, written over the first.

use burn::backend::{Backend, Dispatch, Flex, tensor::FloatTensor};
use burn::tensor::Tensor;

use crate::Kernels;

/// `a · x + b · y`, in the memory of `x` where nothing else holds it: the step of most optimizers, in one pass.
///
/// # Panics
///
/// Where the shapes differ.
#[must_use]
pub fn axpby<const D: usize>(a: f64, x: Tensor<D>, b: f64, y: Tensor<D>) -> Tensor<D> {
    assert_eq!(x.dims(), y.dims(), "axpby: x and y");
    Tensor::from_dispatch(<Dispatch as Kernels>::axpby(
        x.into_dispatch(),
        y.into_dispatch(),
        a as f32,
        b as f32,
    ))
}

pub(crate) fn reference<B: Backend>(x: FloatTensor<B>, y: FloatTensor<B>, a: f32, b: f32) -> FloatTensor<B> {
    B::float_add(B::float_mul_scalar(x, a.into()), B::float_mul_scalar(y, b.into()))
}

pub(crate) fn flex(x: FloatTensor<Flex>, y: FloatTensor<Flex>, a: f32, b: f32) -> FloatTensor<Flex> {
    let (mut x, y) = (x.to_contiguous(), y.to_contiguous());
    let y: &[f32] = y.as_slice().expect("contiguous by the line above");
    for (x, y) in x.storage_mut::<f32>().iter_mut().zip(y) {
        *x = a * *x + b * y;
    }
    x
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
