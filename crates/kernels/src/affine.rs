//! Linear layer with bias and an optional ReLU, in PyTorch's weight layout `[out, in]`.

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};
use pulp::Simd;

use crate::{
    flex,
    gemm::{self, View},
    simd, tape,
};

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
    Tensor::from_dispatch(<Dispatch as AffineOps>::affine(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        fused == Fused::Relu,
    ))
}

#[backend_extension(Autodiff, Flex)]
pub(crate) trait AffineOps: Backend {
    fn affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let outputs = bias.shape()[0];
        let product = Self::float_matmul(input, Self::float_transpose(weight));
        let sum = Self::float_add(product, Self::float_reshape(bias, Shape::new([1, outputs])));
        if relu { Self::relu(sum) } else { sum }
    }

    /// `grad` where `output` is positive, zero elsewhere: ReLU's backward pass from its output.
    fn relu_mask(grad: FloatTensor<Self>, output: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::relu_backward(output, grad)
    }
}

impl AffineOps for Flex {
    /// One pass over the product adds the bias and clips, while it is still in cache.
    fn affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let ([n, inputs], [outputs, _]) = (input.shape().dims(), weight.shape().dims());
        let (input, weight, bias) =
            (flex::contiguous(input), flex::contiguous(weight), flex::contiguous(bias));
        let mut output = flex::buffer(n * outputs);
        gemm::product(
            (&mut output, View::rows(0, n, outputs, outputs)),
            false,
            1.0,
            (flex::values(&input), View::rows(0, n, inputs, inputs)),
            (flex::values(&weight), View::rows(0, outputs, inputs, inputs).transposed()),
        );
        let bias = flex::values(&bias);
        simd::each_row(&mut output, outputs, |_, row| {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value += bias;
            }
            if relu {
                // Written so that NaN passes through, as in Burn and PyTorch.
                row.iter_mut().for_each(|value| *value = if *value < 0.0 { 0.0 } else { *value });
            }
        });
        flex::tensor(output, [n, outputs])
    }

    fn relu_mask(grad: FloatTensor<Self>, output: FloatTensor<Self>) -> FloatTensor<Self> {
        let (mut grad, output) = (flex::contiguous(grad), flex::contiguous(output));
        simd::update(Mask, grad.storage_mut(), [flex::values(&output)]);
        grad
    }
}

#[derive(Clone, Copy)]
struct Mask;

impl simd::Lanes<1> for Mask {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, grad: S::f32s, [output]: [S::f32s; 1]) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        simd.select_f32s(simd.greater_than_f32s(output, zero), grad, zero)
    }
}

impl<B: AffineOps, C: CheckpointStrategy> AffineOps for Autodiff<B, C> {
    fn affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let forward = |[x, w, b]: [FloatTensor<B>; 3]| {
            let output = B::affine(x.clone(), w.clone(), b, relu);
            (output.clone(), (x, w, relu.then_some(output)))
        };
        tape::record::<B, C, _, 3>([input, weight, bias], forward, |(x, w, output), grad, wanted| {
            let grad = match output {
                Some(output) => B::relu_mask(grad, output),
                None => grad,
            };
            let outputs = grad.shape()[1];
            let bias =
                wanted[2].then(|| B::float_reshape(B::float_sum_dim(grad.clone(), 0), Shape::new([outputs])));
            let weight = wanted[1].then(|| B::float_matmul(B::float_transpose(grad.clone()), x));
            let input = wanted[0].then(|| B::float_matmul(grad, w));
            [input, weight, bias]
        })
    }
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
