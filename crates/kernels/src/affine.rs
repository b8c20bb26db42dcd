//! Linear layer with bias and an optional ReLU, in PyTorch's weight layout `[out, in]`.

use burn::backend::{Backend, Dispatch, Flex, ops::FloatTensorOps, tensor::FloatTensor};
use burn::tensor::{Shape, Tensor};

use crate::Kernels;

/// The activation that an operation applies before it writes its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fused {
    /// The output as it is.
    None,
    /// `max(0, x)`.
    Relu,
}

/// `input · weightᵀ + bias`, followed by `fused`: input `[n, i]`, weight `[o, i]`, bias `[o]`, output `[n, o]`.
///
/// # Panics
///
/// Where the shapes do not fit each other.
#[must_use]
pub fn affine(input: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, fused: Fused) -> Tensor<2> {
    let ([_, features], [outputs, inputs], [biases]) = (input.dims(), weight.dims(), bias.dims());
    assert!(
        features == inputs && outputs == biases,
        "affine: input features {features}, weight [{outputs}, {inputs}], bias [{biases}]"
    );
    Tensor::from_dispatch(<Dispatch as Kernels>::affine(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        fused == Fused::Relu,
    ))
}

pub(crate) fn forward_reference<B: Backend>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    relu: bool,
) -> FloatTensor<B> {
    use burn::backend::TensorMetadata;
    let outputs = bias.shape()[0];
    let product = B::float_matmul(input, B::float_transpose(weight));
    let sum = B::float_add(product, B::float_reshape(bias, Shape::new([1, outputs])));
    if relu { B::relu(sum) } else { sum }
}

pub(crate) fn relu_mask_reference<B: Backend>(
    grad: FloatTensor<B>,
    output: FloatTensor<B>,
) -> FloatTensor<B> {
    B::relu_backward(output, grad)
}

pub(crate) fn bias_gradient<B: Backend>(grad: FloatTensor<B>) -> FloatTensor<B> {
    use burn::backend::TensorMetadata;
    let outputs = grad.shape()[1];
    B::float_reshape(B::float_sum_dim(grad, 0), Shape::new([outputs]))
}

/// One pass over the product adds the bias and clips, while it is still in cache.
pub(crate) fn forward_flex(
    input: FloatTensor<Flex>,
    weight: FloatTensor<Flex>,
    bias: FloatTensor<Flex>,
    relu: bool,
) -> FloatTensor<Flex> {
    let mut output = Flex::float_matmul(input, Flex::float_transpose(weight)).to_contiguous();
    let bias = bias.to_contiguous();
    let bias: &[f32] = bias.as_slice().expect("contiguous by the line above");
    if bias.is_empty() {
        return output;
    }
    for row in output.storage_mut::<f32>().chunks_exact_mut(bias.len()) {
        for (value, bias) in row.iter_mut().zip(bias) {
            *value += bias;
        }
        if relu {
            // Written so that NaN passes through, as in Burn and PyTorch.
            row.iter_mut().for_each(|value| *value = if *value < 0.0 { 0.0 } else { *value });
        }
    }
    output
}

pub(crate) fn relu_mask_flex(grad: FloatTensor<Flex>, output: FloatTensor<Flex>) -> FloatTensor<Flex> {
    let mut grad = grad.to_contiguous();
    let output = output.to_contiguous();
    let output: &[f32] = output.as_slice().expect("contiguous by the line above");
    for (grad, &output) in grad.storage_mut::<f32>().iter_mut().zip(output) {
        *grad = if output > 0.0 { *grad } else { 0.0 };
    }
    grad
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData, Tolerance, activation::relu, module::linear};

    fn ramp<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Output and every gradient against Burn's own linear and ReLU.
    fn check(n: usize, i: usize, o: usize, fused: Fused) {
        let device = Device::flex().autodiff();
        let x = ramp([n, i], &device).require_grad();
        let w = ramp([o, i], &device).require_grad();
        let b = ramp([o], &device).require_grad();
        let weights = ramp([n, o], &device) + 0.3;

        let plain = linear(x.clone(), w.clone().transpose(), Some(b.clone()));
        let plain = if fused == Fused::Relu { relu(plain) } else { plain };
        let ours = affine(x.clone(), w.clone(), b.clone(), fused);
        let tolerance = Tolerance::<f32>::absolute(1e-5);
        ours.to_data().assert_approx_eq(&plain.to_data(), tolerance);

        let expected = (plain * weights.clone()).sum().backward();
        let actual = (ours * weights).sum().backward();
        x.grad(&actual).unwrap().to_data().assert_approx_eq(&x.grad(&expected).unwrap().to_data(), tolerance);
        w.grad(&actual).unwrap().to_data().assert_approx_eq(&w.grad(&expected).unwrap().to_data(), tolerance);
        b.grad(&actual).unwrap().to_data().assert_approx_eq(&b.grad(&expected).unwrap().to_data(), tolerance);
    }

    #[test]
    fn agrees_with_burn_over_shapes() {
        for fused in [Fused::None, Fused::Relu] {
            for (n, i, o) in [(1, 1, 1), (1, 7, 3), (5, 3, 2), (64, 33, 17), (3, 128, 65)] {
                check(n, i, o, fused);
            }
        }
    }

    #[test]
    fn takes_inputs_that_are_not_contiguous() {
        let device = Device::flex();
        let x = ramp([6, 4], &device);
        let w = ramp([3, 4], &device);
        let b = ramp([3], &device);
        let expected = affine(x.clone(), w.clone(), b.clone(), Fused::Relu);
        let strided = x.transpose().mul_scalar(1.0).transpose();
        let actual = affine(strided, w, b, Fused::Relu).into_data();
        actual.assert_approx_eq(&expected.into_data(), Tolerance::<f32>::absolute(1e-6));
    }

    #[test]
    fn an_empty_batch_gives_an_empty_output() {
        let device = Device::flex();
        let out = affine(ramp([0, 4], &device), ramp([3, 4], &device), ramp([3], &device), Fused::Relu);
        assert_eq!(out.dims(), [0, 3]);
    }

    #[test]
    fn nan_passes_through_the_relu() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[f32::NAN]], &device);
        let out = affine(
            x,
            Tensor::from_floats([[1.0]], &device),
            Tensor::from_floats([0.0], &device),
            Fused::Relu,
        );
        assert!(out.into_scalar::<f32>().is_nan());
    }
}
