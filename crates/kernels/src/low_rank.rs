//! Linear layer whose frozen weight is changed by a product of two thin matrices (LoRA: Hu et al. 2021,
//! arXiv:2106.09685).
//!
//! The changed weight is made once a call, so that both passes have one large product each, as many as a frozen layer has;
//! the gradients of the thin matrices are products as thin as they are.

use burn::backend::{
    Autodiff, Dispatch, Flex, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::{Fused, affine::AffineOps, tape};

/// `input · (weight + up · down)ᵀ + bias`, followed by `fused`: input `[n, i]`, weight `[o, i]`, bias `[o]`, down `[r, i]`, up
/// `[o, r]`, output `[n, o]`.
///
/// # Panics
///
/// Where the shapes do not fit each other.
#[must_use]
pub fn affine_low_rank(
    input: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    [down, up]: [Tensor<2>; 2],
    fused: Fused,
) -> Tensor<2> {
    let ([_, features], [outputs, inputs], [biases]) = (input.dims(), weight.dims(), bias.dims());
    let [thin, thick] = [down.dims(), up.dims()];
    assert!(
        features == inputs && outputs == biases && thin == [thick[1], inputs] && thick[0] == outputs,
        "affine_low_rank: input features {features}, weight [{outputs}, {inputs}], bias [{biases}], down {thin:?}, up \
         {thick:?}"
    );
    Tensor::from_dispatch(<Dispatch as LowRankOps>::affine_low_rank(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        down.into_dispatch(),
        up.into_dispatch(),
        fused,
    ))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait LowRankOps: AffineOps {
    fn affine_low_rank(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        down: FloatTensor<Self>,
        up: FloatTensor<Self>,
        fused: Fused,
    ) -> FloatTensor<Self> {
        Self::affine(input, Self::changed(weight, down, up), bias, fused)
    }

    /// `weight + up · down`.
    fn changed(
        weight: FloatTensor<Self>,
        down: FloatTensor<Self>,
        up: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::float_add(Self::float_matmul(up, down), weight)
    }
}

impl LowRankOps for Flex {}

/// What the backward pass reads.
#[derive(Debug, Clone)]
struct Kept<T> {
    input: T,
    changed: T,
    down: T,
    up: T,
    slope: T,
    fused: Fused,
}

impl<B: LowRankOps, C: CheckpointStrategy> LowRankOps for Autodiff<B, C> {
    fn affine_low_rank(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        down: FloatTensor<Self>,
        up: FloatTensor<Self>,
        fused: Fused,
    ) -> FloatTensor<Self> {
        let forward = |[input, weight, bias, down, up]: [FloatTensor<B>; 5]| {
            let changed = B::changed(weight, down.clone(), up.clone());
            let (output, slope) = B::affine_keeping(input.clone(), changed.clone(), bias, fused, true);
            (output, Kept { input, changed, down, up, slope, fused })
        };
        tape::record::<B, C, _, 5>([input, weight, bias, down, up], forward, |kept, grad, wanted| {
            let Kept { input, changed, down, up, slope, fused } = kept;
            let (grad, bias) = B::affine_slope(slope, grad, fused);
            // By the thin matrices, without the product of the size of the weight: (grad · up)ᵀ · input, and gradᵀ · (input · downᵀ).
            let by_down = wanted[3].then(|| {
                let thin = B::float_matmul(grad.clone(), up);
                B::transposed_product(thin, input.clone())
            });
            let by_up = wanted[4].then(|| {
                let thin = B::float_matmul(input.clone(), B::float_transpose(down));
                B::transposed_product(grad.clone(), thin)
            });
            let by_weight = wanted[1].then(|| B::transposed_product(grad.clone(), input));
            let by_input = wanted[0].then(|| B::float_matmul(grad, changed));
            [by_input, by_weight, wanted[2].then_some(bias), by_down, by_up]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{
        Device, TensorData, Tolerance,
        activation::{gelu, relu},
    };

    use crate::Smooth;

    fn ramp<const D: usize>(shape: [usize; D], step: usize, device: &Device) -> Tensor<D> {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| ((i * step + 11) % 101) as f32 / 50.0 - 1.0).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Output and every gradient against Burn's own operations.
    #[test]
    fn agrees_with_burn_over_shapes() {
        let device = Device::flex().autodiff();
        for fused in [Fused::None, Fused::Relu, Fused::Smooth(Smooth::Gelu)] {
            for [n, i, o, r] in [[1, 1, 1, 1], [5, 3, 2, 4], [64, 33, 17, 2], [300, 48, 65, 8]] {
                let x = ramp([n, i], 37, &device).require_grad();
                let (w, b) = (ramp([o, i], 41, &device).require_grad(), ramp([o], 7, &device).require_grad());
                let (a, u) =
                    (ramp([r, i], 29, &device).require_grad(), ramp([o, r], 31, &device).require_grad());
                let ours = affine_low_rank(x.clone(), w.clone(), b.clone(), [a.clone(), u.clone()], fused);
                let plain = x.clone().matmul(w.clone().transpose())
                    + x.clone().matmul(a.clone().transpose()).matmul(u.clone().transpose())
                    + b.clone().unsqueeze();
                let plain = match fused {
                    Fused::Relu => relu(plain),
                    Fused::Smooth(_) => gelu(plain),
                    Fused::None => plain,
                };
                let close = Tolerance::<f32>::rel_abs(1e-4, 1e-4);
                ours.to_data().assert_approx_eq(&plain.to_data(), close);
                let weights = ramp([n, o], 43, &device);
                let actual = (ours * weights.clone()).sum().backward();
                let expected = (plain * weights).sum().backward();
                for tensor in [&x, &w, &a, &u] {
                    let [ours, plain] =
                        [&actual, &expected].map(|grads| tensor.grad(grads).unwrap().to_data());
                    ours.assert_approx_eq(&plain, close);
                }
                let [ours, plain] = [&actual, &expected].map(|grads| b.grad(grads).unwrap().to_data());
                ours.assert_approx_eq(&plain, close);
            }
        }
    }

    #[test]
    fn a_frozen_weight_has_no_gradient() {
        let device = Device::flex().autodiff();
        let (x, w, b) = (ramp([4, 3], 37, &device), ramp([2, 3], 41, &device), ramp([2], 7, &device));
        let (a, u) = (ramp([1, 3], 29, &device).require_grad(), ramp([2, 1], 31, &device).require_grad());
        let grads =
            affine_low_rank(x.clone(), w.clone(), b, [a.clone(), u.clone()], Fused::None).sum().backward();
        assert!(w.grad(&grads).is_none() && x.grad(&grads).is_none());
        assert!(a.grad(&grads).is_some() && u.grad(&grads).is_some());
    }
}
