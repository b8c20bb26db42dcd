//! The transpose of a convolution as an operation of its own: what it does forwards a convolution does backwards, and the
//! other way round.

use burn::backend::{
    Autodiff, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};

use super::{Conv2d, Conv2dOps, Sizes, gradients};
use crate::{flex, tape};

/// PyTorch's `conv_transpose2d` without a bias: of `input` `[n, ic, h, w]` by `weight` `[ic, oc / groups, kh, kw]`, the output
/// `[n, oc, oh, ow]`, where a convolution with the same options takes `size = [oh, ow]` to `[h, w]`. Pixels of the output that no
/// window reaches are zero.
///
/// # Panics
///
/// Where the shapes do not fit each other.
#[must_use]
pub fn conv_transpose2d(input: Tensor<4>, weight: Tensor<4>, options: Conv2d, size: [usize; 2]) -> Tensor<4> {
    let ([n, channels, h, w], [inputs, group_outputs, ..]) = (input.dims(), weight.dims());
    let sizes = Sizes::new([n, group_outputs * options.groups, size[0], size[1]], weight.dims(), options);
    assert!(
        channels == inputs && sizes.output == [h, w],
        "conv_transpose2d: {:?} by {:?}, {options:?} gives no {size:?}",
        input.dims(),
        weight.dims()
    );
    Tensor::from_dispatch(<Dispatch as TransposeOps>::transposed_conv2d(
        input.into_dispatch(),
        weight.into_dispatch(),
        options,
        size,
    ))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait TransposeOps: Conv2dOps {
    fn transposed_conv2d(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: Conv2d,
        size: [usize; 2],
    ) -> FloatTensor<Self> {
        let shape = output_shape(&input.shape(), &weight.shape(), options, size);
        let nothing = Self::float_zeros(shape, &input.device(), input.dtype().into());
        Self::conv2d_x_backward(nothing, weight, input, options.into())
    }
}

fn output_shape(input: &Shape, weight: &Shape, options: Conv2d, [height, width]: [usize; 2]) -> Shape {
    Shape::new([input[0], weight[1] * options.groups, height, width])
}

impl TransposeOps for Flex {
    fn transposed_conv2d(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: Conv2d,
        size: [usize; 2],
    ) -> FloatTensor<Self> {
        let shape = output_shape(&input.shape(), &weight.shape(), options, size);
        let sizes = Sizes::new(shape.dims(), weight.shape().dims(), options);
        let (input, weight) = (flex::contiguous(input), flex::contiguous(weight));
        let wanted = [true, false, false];
        let (output, ..) = gradients(sizes, &[], flex::values(&weight), flex::values(&input), None, wanted);
        flex::tensor(output, shape)
    }
}

impl<B: TransposeOps, C: CheckpointStrategy> TransposeOps for Autodiff<B, C> {
    fn transposed_conv2d(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: Conv2d,
        size: [usize; 2],
    ) -> FloatTensor<Self> {
        let forward = |[x, w]: [FloatTensor<B>; 2]| {
            let output = B::transposed_conv2d(x.clone(), w.clone(), options, size);
            (output, (x, w, options))
        };
        tape::record::<B, C, _, 2>([input, weight], forward, |(x, w, options), grad, wanted| {
            let by_input = wanted[0].then(|| {
                let bias = B::float_zeros(Shape::new([w.shape()[0]]), &w.device(), w.dtype().into());
                B::fused_conv2d(grad.clone(), w.clone(), bias, options, false)
            });
            let by_weight = wanted[1].then(|| {
                let nothing = x.clone();
                B::fused_conv2d_backward(grad, w, x, nothing, false, options, [false, true, false]).1
            });
            [by_input, by_weight]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::wave;
    use burn::tensor::{Device, Tolerance, module, ops::ConvTransposeOptions};

    /// Output and gradients beside Burn's, of a picture that a convolution with these options makes `input` of.
    fn check(input: [usize; 4], weight: [usize; 4], options: Conv2d, size: [usize; 2]) {
        let device = Device::flex().autodiff();
        let reached = [0, 1].map(|axis| {
            (input[axis + 2] - 1) * options.stride[axis] + options.dilation[axis] * (weight[axis + 2] - 1) + 1
        });
        let rest = [0, 1].map(|axis| size[axis] + 2 * options.padding[axis] - reached[axis]);
        let Conv2d { stride, padding, dilation, groups } = options;
        let plain = ConvTransposeOptions::new(stride, padding, rest, dilation, groups);
        let run = |ours: bool| {
            let x = wave(input, 0.1, &device).require_grad();
            let w = wave(weight, 1.0, &device).require_grad();
            let y = match ours {
                true => conv_transpose2d(x.clone(), w.clone(), options, size),
                false => module::conv_transpose2d(x.clone(), w.clone(), None, plain.clone()),
            };
            let slope = wave(y.dims(), 2.0, &device) + 0.3;
            let gradients = (y.clone() * slope).sum().backward();
            [y.inner(), x.grad(&gradients).unwrap(), w.grad(&gradients).unwrap()].map(Tensor::into_data)
        };
        for (ours, plain) in run(true).iter().zip(run(false)) {
            ours.assert_approx_eq(&plain, Tolerance::<f32>::rel_abs(1e-5, 2e-4));
        }
    }

    #[test]
    fn agrees_with_burn_over_sizes_strides_and_groups() {
        let options = |stride: usize, padding: usize| Conv2d {
            stride: [stride; 2],
            padding: [padding; 2],
            dilation: [1; 2],
            groups: 1,
        };
        check([2, 3, 7, 7], [3, 5, 4, 4], options(2, 1), [14, 14]);
        check([5, 20, 7, 5], [20, 17, 4, 4], options(2, 1), [15, 10]);
        check([3, 16, 8, 8], [16, 32, 3, 3], options(1, 1), [8, 8]);
        check([1, 2, 3, 3], [2, 1, 3, 3], options(3, 0), [10, 11]);
        check([2, 6, 4, 4], [6, 2, 3, 3], Conv2d { groups: 3, dilation: [2; 2], ..options(1, 2) }, [4, 4]);
    }
}
