//! Linear layer with bias and activation, in PyTorch's weight layout `[out, in]`.

#[cfg(test)]
mod tests;

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
        // The product is added to the bias, so that no pass over the output is needed to clear it or to add that.
        let mut sum = flex::values(&bias).repeat(n);
        let place = View::rows(0, n, outputs, outputs);
        let rows = (flex::values(&input), View::rows(0, n, inputs, inputs));
        let columns = (flex::values(&weight), View::rows(0, outputs, inputs, inputs).transposed());
        gemm::parallel_product((&mut sum, place), true, 1.0, rows, columns);
        match fused {
            Fused::Smooth(function) if keep => {
                let mut output = flex::buffer(n * outputs);
                simd::each_row_of([&mut sum, &mut output], outputs, |_, [sum, output]| {
                    activation::values_and_slopes(function, output, sum);
                });
                return (flex::tensor(output, [n, outputs]), flex::tensor(sum, [n, outputs]));
            }
            Fused::None => {}
            Fused::Relu => simd::update(Clip, &mut sum, []),
            Fused::Smooth(function) => {
                simd::each_part(&mut sum, |_, sum| activation::values_of(function, sum));
            }
        }
        let output: FlexTensor = flex::tensor(sum, [n, outputs]);
        (output.clone(), output)
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

/// ReLU.
#[derive(Clone, Copy)]
struct Clip;

impl simd::Lanes<0> for Clip {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, sum: S::f32s, []: [S::f32s; 0]) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        // Written so that NaN passes through, as in Burn and PyTorch.
        simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum)
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
        // Of a layer that is frozen no input is kept, and without a function no output: other layers' backward passes
        // keep what they need of them.
        let (by_input, by_weight) = (input.is_tracked(), weight.is_tracked());
        let keep = by_input || by_weight || bias.is_tracked();
        let forward = |[x, w, b]: [FloatTensor<B>; 3]| {
            let (output, kept) = B::affine_keeping(x.clone(), w.clone(), b, fused, keep);
            let kept = (fused != Fused::None).then_some(kept);
            (output, (by_weight.then_some(x), by_input.then_some(w), kept, fused))
        };
        tape::record::<B, C, _, 3>([input, weight, bias], forward, |(x, w, kept, fused), grad, wanted| {
            let kept = kept.unwrap_or_else(|| grad.clone());
            let (grad, bias) = B::affine_slope(kept, grad, fused);
            let weight = x.map(|x| B::transposed_product(grad.clone(), x));
            let input = w.map(|w| B::float_matmul(grad, w));
            [input, weight, wanted[2].then_some(bias)]
        })
    }
}
