//! The gradient of a convolution by weight and bias alone: of a batch, and of each of its examples.

use burn::backend::{
    Autodiff, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::{Shape, Slice, Tensor};
use rayon::prelude::*;

use super::{Conv2d, Conv2dOps, Sizes, weight::WeightGradient, winograd::Winograd};
use crate::flex;

/// The gradients of [`conv2d`](super::conv2d) by `weight` and bias, from its `input` and the gradient `grad` of its
/// output; `output` is the output itself where a `ReLU` followed.
///
/// # Panics
///
/// Where the shapes do not fit each other.
#[must_use]
pub fn conv2d_weight_gradient(
    input: Tensor<4>,
    weight: Tensor<4>,
    grad: Tensor<4>,
    output: Option<Tensor<4>>,
    options: Conv2d,
) -> (Tensor<4>, Tensor<1>) {
    check(&input, weight.dims(), &grad, output.as_ref(), options);
    let relu = output.is_some();
    let output = output.unwrap_or_else(|| grad.clone());
    let [input, weight, grad, output] = [input, weight, grad, output].map(Tensor::into_dispatch);
    let wanted = [false, true, true];
    let (_, weight, bias) =
        <Dispatch as Conv2dOps>::fused_conv2d_backward(input, weight, grad, output, relu, options, wanted);
    (Tensor::from_dispatch(weight), Tensor::from_dispatch(bias))
}

/// The same for each example alone: `[n, oc · ic / groups · kh · kw]` and `[n, oc]`, for a weight of the shape `weight`.
///
/// # Panics
///
/// Where the shapes do not fit each other.
#[must_use]
pub fn conv2d_example_gradients(
    input: Tensor<4>,
    weight: [usize; 4],
    grad: Tensor<4>,
    output: Option<Tensor<4>>,
    options: Conv2d,
) -> (Tensor<2>, Tensor<2>) {
    check(&input, weight, &grad, output.as_ref(), options);
    let relu = output.is_some();
    let output = output.unwrap_or_else(|| grad.clone());
    let [input, grad, output] = [input, grad, output].map(Tensor::into_dispatch);
    let (weight, bias) =
        <Dispatch as ExampleOps>::conv2d_example_gradients(input, grad, output, relu, weight, options);
    (Tensor::from_dispatch(weight), Tensor::from_dispatch(bias))
}

fn check(
    input: &Tensor<4>,
    weight: [usize; 4],
    grad: &Tensor<4>,
    output: Option<&Tensor<4>>,
    options: Conv2d,
) {
    let sizes = Sizes::new(input.dims(), weight, options);
    let shape = [sizes.images, sizes.outputs, sizes.output[0], sizes.output[1]];
    assert_eq!(grad.dims(), shape, "conv2d: the gradient of its output");
    assert!(output.is_none_or(|output| output.dims() == shape), "conv2d: its output is not {shape:?}");
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait ExampleOps: Conv2dOps {
    /// `output` is read only after a `ReLU`.
    fn conv2d_example_gradients(
        input: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        output: FloatTensor<Self>,
        relu: bool,
        weight: [usize; 4],
        options: Conv2d,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let images = input.shape()[0];
        let [outputs, length] = [weight[0], weight.iter().product()];
        // Its values do not matter.
        let values = Self::float_zeros(Shape::new(weight), &input.device(), grad.dtype().into());
        let row = |image: usize| {
            let slice = |tensor: &FloatTensor<Self>| {
                Self::float_slice(tensor.clone(), &[Slice::from(image..image + 1)])
            };
            let [input, grad, output] = [&input, &grad, &output].map(slice);
            let wanted = [false, true, true];
            let (_, weight, bias) =
                Self::fused_conv2d_backward(input, values.clone(), grad, output, relu, options, wanted);
            (
                Self::float_reshape(weight, Shape::new([1, length])),
                Self::float_reshape(bias, Shape::new([1, outputs])),
            )
        };
        let (weights, biases): (Vec<_>, Vec<_>) = (0..images).map(row).unzip();
        (Self::float_cat(weights, 0), Self::float_cat(biases, 0))
    }
}

impl ExampleOps for Flex {
    fn conv2d_example_gradients(
        input: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        output: FloatTensor<Self>,
        relu: bool,
        weight: [usize; 4],
        options: Conv2d,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let sizes = Sizes::new(input.shape().dims(), weight, options);
        let [input, grad, output] = [input, grad, output].map(flex::contiguous);
        let [x, g, y] = [&input, &grad, &output].map(flex::values);
        let mask = relu.then_some(y);
        let (images, outputs) = (sizes.images, sizes.outputs);
        let length = outputs * sizes.weights_per_output();
        let (mut weights, mut biases) = (flex::buffer(images * length), flex::buffer(images * outputs));
        let in_tiles = Winograd::new(&sizes)
            .is_some_and(|winograd| winograd.of_each(x, g, mask, &mut weights, &mut biases));
        if !in_tiles && !weights.is_empty() {
            directly(&sizes, x, g, mask, &mut weights, &mut biases);
        }
        (flex::tensor(weights, [images, length]), flex::tensor(biases, [images, outputs]))
    }
}

/// `[n, weights]` and `[n, oc]`, of each image in one pass over its pixels.
fn directly(
    sizes: &Sizes,
    input: &[f32],
    grad: &[f32],
    mask: Option<&[f32]>,
    weights: &mut [f32],
    biases: &mut [f32],
) {
    let (before, after) = sizes.lengths();
    let (length, outputs, part) = (sizes.outputs * sizes.weights_per_output(), sizes.outputs, sizes.part());
    let gradient = WeightGradient::new(sizes, true);
    let run = |(index, (weights, biases)): (usize, (&mut [f32], &mut [f32]))| {
        let mut sums = gradient.sums();
        let places = weights.chunks_exact_mut(length).zip(biases.chunks_exact_mut(outputs));
        for (image, place) in (index * part..).zip(places) {
            let (input, grad) = (&input[image * before..][..before], &grad[image * after..][..after]);
            let mask = mask.map(|mask| &mask[image * after..][..after]);
            gradient.of_one(input, grad, mask, &mut sums, place);
        }
    };
    if sizes.is_little() {
        weights.chunks_mut(part * length).zip(biases.chunks_mut(part * outputs)).enumerate().for_each(run);
    } else {
        let parts = weights.par_chunks_mut(part * length).zip(biases.par_chunks_mut(part * outputs));
        parts.enumerate().for_each(run);
    }
}

// What uses it works below autodiff.
impl<B: ExampleOps, C: CheckpointStrategy> ExampleOps for Autodiff<B, C> {}
