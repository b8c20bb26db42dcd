//! Linear layer with bias and activation, in PyTorch's weight layout `[out, in]`.

use burn::backend::{
    Autodiff, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;
use pulp::Simd;

use crate::{
    Smooth,
    activation::{self, SmoothOps},
    flex,
    gemm::{self, View},
    simd::{self, Update},
    tape,
};

/// The activation that an operation applies before it writes its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fused {
    /// The output as it is.
    None,
    /// `max(0, x)`.
    Relu,
    /// A smooth function.
    Smooth(Smooth),
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
        fused,
    ))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait AffineOps: SmoothOps {
    fn affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        fused: Fused,
    ) -> FloatTensor<Self> {
        Self::affine_keeping(input, weight, bias, fused, false).0
    }

    /// The output, and what [`affine_slope`](Self::affine_slope) of the same backend computes the derivative of `fused`
    /// from, unless it need not be kept.
    fn affine_keeping(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        fused: Fused,
        keep: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let _ = keep;
        let outputs = bias.shape()[0];
        let product = Self::float_matmul(input, Self::float_transpose(weight));
        let sum = Self::float_add(product, Self::float_reshape(bias, Shape::new([1, outputs])));
        let output = match fused {
            Fused::None => sum.clone(),
            Fused::Relu => Self::relu(sum.clone()),
            Fused::Smooth(function) => {
                let output = Self::smooth(sum.clone(), function);
                return (output.clone(), activation::kept(function, sum, output));
            }
        };
        (output, sum)
    }

    /// The gradient by the sum, in the place of that by the output, and its own sum over the rows `[o]`.
    fn affine_slope(
        kept: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        fused: Fused,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let outputs = grad.shape()[1];
        let grad = match fused {
            Fused::None => grad,
            Fused::Relu => Self::relu_mask(grad, kept),
            Fused::Smooth(function) => Self::smooth_backward(kept, grad, function),
        };
        let sum = Self::float_reshape(Self::float_sum_dim(grad.clone(), 0), Shape::new([outputs]));
        (grad, sum)
    }

    /// `aᵀ b` of `[n, i]` and `[n, j]`.
    fn transposed_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(Self::float_transpose(a), b)
    }

    /// Zero where `output` is at most zero, `grad` elsewhere: ReLU's backward pass from its output.
    fn relu_mask(grad: FloatTensor<Self>, output: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::relu_backward(output, grad)
    }
}

impl AffineOps for Flex {
    /// Smooth functions keep their derivative, which costs little beside the function itself.
    fn affine_keeping(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        fused: Fused,
        keep: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let ([n, inputs], [outputs, _]) = (input.shape().dims(), weight.shape().dims());
        let (input, weight, bias) =
            (flex::contiguous(input), flex::contiguous(weight), flex::contiguous(bias));
        let mut sum = flex::buffer(n * outputs);
        gemm::parallel_product(
            (&mut sum, View::rows(0, n, outputs, outputs)),
            false,
            1.0,
            (flex::values(&input), View::rows(0, n, inputs, inputs)),
            (flex::values(&weight), View::rows(0, outputs, inputs, inputs).transposed()),
        );
        let bias = flex::values(&bias);
        let add_bias = |sum: &mut [f32]| {
            let f = AddBias { relu: fused == Fused::Relu };
            simd::dispatch(Update { f, target: sum, others: [bias] });
        };
        let tensor = |values| -> FlexTensor { flex::tensor(values, [n, outputs]) };
        let Fused::Smooth(function) = fused else {
            simd::each_row(&mut sum, outputs, |_, sum| add_bias(sum));
            let output = tensor(sum);
            return (output.clone(), output);
        };
        if !keep {
            simd::each_row(&mut sum, outputs, |_, sum| {
                add_bias(sum);
                activation::values_of(function, sum);
            });
            let output = tensor(sum);
            return (output.clone(), output);
        }
        let mut output = flex::buffer(n * outputs);
        simd::each_row_of([&mut sum, &mut output], outputs, |_, [sum, output]| {
            add_bias(sum);
            activation::values_and_slopes(function, output, sum);
        });
        (tensor(output), tensor(sum))
    }

    fn affine_slope(
        kept: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        fused: Fused,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let outputs = grad.shape()[1];
        let mut grad = flex::contiguous(grad);
        let kept = flex::contiguous(kept);
        let kept = flex::values(&kept);
        let sum = if fused == Fused::None {
            // Read only, so that what somebody else holds is not copied.
            simd::sum_rows(flex::values(&grad), outputs)
        } else {
            simd::rows_and_sums(grad.storage_mut(), outputs, outputs, |first, rows, sums| {
                let kept = &kept[first * outputs..][..rows.len()];
                match fused {
                    Fused::None => {}
                    Fused::Relu => simd::dispatch(Update { f: Mask, target: rows, others: [kept] }),
                    Fused::Smooth(_) => {
                        simd::dispatch(Update { f: activation::Times, target: rows, others: [kept] })
                    }
                }
                simd::dispatch(simd::SumRows { rows, sums });
            })
        };
        (grad, flex::tensor(sum, [outputs]))
    }

    fn transposed_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let ([n, rows], [_, columns]) = (a.shape().dims(), b.shape().dims());
        let (a, b) = (flex::contiguous(a), flex::contiguous(b));
        let mut output = flex::buffer(rows * columns);
        gemm::parallel_product(
            (&mut output, View::rows(0, rows, columns, columns)),
            false,
            1.0,
            (flex::values(&a), View::rows(0, n, rows, rows).transposed()),
            (flex::values(&b), View::rows(0, n, columns, columns)),
        );
        flex::tensor(output, [rows, columns])
    }

    fn relu_mask(grad: FloatTensor<Self>, output: FloatTensor<Self>) -> FloatTensor<Self> {
        let (mut grad, output) = (flex::contiguous(grad), flex::contiguous(output));
        simd::update(Mask, grad.storage_mut(), [flex::values(&output)]);
        grad
    }
}

/// The sum of a product and a bias, clipped if `relu`.
#[derive(Clone, Copy)]
struct AddBias {
    relu: bool,
}

impl simd::Lanes<1> for AddBias {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, product: S::f32s, [bias]: [S::f32s; 1]) -> S::f32s {
        let (sum, zero) = (simd.add_f32s(product, bias), simd.splat_f32s(0.0));
        // Written so that NaN passes through, as in Burn and PyTorch.
        if self.relu { simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum) } else { sum }
    }
}

#[derive(Clone, Copy)]
struct Mask;

impl simd::Lanes<1> for Mask {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, grad: S::f32s, [output]: [S::f32s; 1]) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        // A NaN is not less or equal: its gradient passes, as in Burn and PyTorch.
        simd.select_f32s(simd.less_than_or_equal_f32s(output, zero), zero, grad)
    }
}

impl<B: AffineOps, C: CheckpointStrategy> AffineOps for Autodiff<B, C> {
    fn affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        fused: Fused,
    ) -> FloatTensor<Self> {
        let forward = |[x, w, b]: [FloatTensor<B>; 3]| {
            let (output, kept) = B::affine_keeping(x.clone(), w.clone(), b, fused, true);
            (output, (x, w, kept, fused))
        };
        tape::record::<B, C, _, 3>([input, weight, bias], forward, |(x, w, kept, fused), grad, wanted| {
            let (grad, bias) = B::affine_slope(kept, grad, fused);
            let weight = wanted[1].then(|| B::transposed_product(grad.clone(), x));
            let input = wanted[0].then(|| B::float_matmul(grad, w));
            [input, weight, wanted[2].then_some(bias)]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{
        Device, TensorData, Tolerance,
        activation::{gelu, relu},
        module::linear,
    };

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
        let plain = match fused {
            Fused::None => plain,
            Fused::Relu => relu(plain),
            Fused::Smooth(Smooth::Gelu) => gelu(plain),
            Fused::Smooth(_) => plain.tanh(),
        };
        let ours = affine(x.clone(), w.clone(), b.clone(), fused);
        let tolerance = Tolerance::<f32>::rel_abs(1e-5, 2e-5);
        ours.to_data().assert_approx_eq(&plain.to_data(), tolerance);

        let expected = (plain * weights.clone()).sum().backward();
        let actual = (ours * weights).sum().backward();
        x.grad(&actual).unwrap().to_data().assert_approx_eq(&x.grad(&expected).unwrap().to_data(), tolerance);
        w.grad(&actual).unwrap().to_data().assert_approx_eq(&w.grad(&expected).unwrap().to_data(), tolerance);
        b.grad(&actual).unwrap().to_data().assert_approx_eq(&b.grad(&expected).unwrap().to_data(), tolerance);
    }

    #[test]
    fn agrees_with_burn_over_shapes() {
        for fused in [Fused::None, Fused::Relu, Fused::Smooth(Smooth::Gelu), Fused::Smooth(Smooth::Tanh)] {
            for (n, i, o) in [(1, 1, 1), (1, 7, 3), (5, 3, 2), (64, 33, 17), (3, 128, 65), (600, 5, 129)] {
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
