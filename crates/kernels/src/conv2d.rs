//! Two-dimensional convolution with bias and an optional `ReLU`, in PyTorch's weight layout `[out, in / groups, height,
//! width]`.
//!
//! Direct, without im2col: an image is laid out so that every tap of the kernel is one constant offset into it
//! ([`layout`]), and all three passes are products over those offsets ([`correlate`], [`weight`]).

pub(crate) mod by_example;
mod correlate;
mod layout;
#[cfg(test)]
mod tests;
pub(crate) mod transposed;
mod weight;
mod winograd;

use std::ops::Range;

use burn::backend::{
    Autodiff, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor, ops::ConvOptions};
use rayon::prelude::*;

use crate::{Fused, affine::AffineOps, flex};
pub use by_example::{conv2d_example_gradients, conv2d_weight_gradient};
use correlate::{Correlation, Target};
use layout::{Layout, shift_and_phase};
pub use transposed::conv_transpose2d;
use weight::WeightGradient;
use winograd::Winograd;

/// How the kernel moves over the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2d {
    /// Pixels between two outputs.
    pub stride: [usize; 2],
    /// Zeros at each side.
    pub padding: [usize; 2],
    /// Pixels between two taps.
    pub dilation: [usize; 2],
    /// Groups of channels that are convolved apart from each other.
    pub groups: usize,
}

impl From<Conv2d> for ConvOptions<2> {
    fn from(Conv2d { stride, padding, dilation, groups }: Conv2d) -> Self {
        Self::new(stride, padding, dilation, groups)
    }
}

/// The convolution of `input` `[n, ic, h, w]` by `weight` `[oc, ic / groups, kh, kw]`, plus `bias` `[oc]`, followed by
/// `fused`: output `[n, oc, oh, ow]` with `oh = (h + 2·padding - dilation·(kh - 1) - 1) / stride + 1`.
///
/// # Panics
///
/// Where the shapes do not fit each other, or the kernel is larger than the padded image.
#[must_use]
pub fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: Conv2d,
    fused: Fused,
) -> Tensor<4> {
    let sizes = Sizes::new(input.dims(), weight.dims(), options);
    assert_eq!(bias.dims(), [sizes.outputs], "conv2d: bias of {weight:?}", weight = weight.dims());
    Tensor::from_dispatch(<Dispatch as Conv2dOps>::fused_conv2d(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        options,
        fused == Fused::Relu,
    ))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait Conv2dOps: AffineOps {
    fn fused_conv2d(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: Conv2d,
        relu: bool,
    ) -> FloatTensor<Self> {
        let sum = Self::conv2d(input, weight, Some(bias), options.into());
        if relu { Self::relu(sum) } else { sum }
    }

    /// The gradients of input, weight and bias, given that of the output. `output` is read only after a `ReLU`; in the
    /// place of a gradient that is not `wanted` stands any tensor.
    fn fused_conv2d_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        output: FloatTensor<Self>,
        relu: bool,
        options: Conv2d,
        wanted: [bool; 3],
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let grad = if relu { Self::relu_mask(grad, output) } else { grad };
        let bias = if wanted[2] {
            let channels = grad.shape()[1];
            let sum = [0, 2, 3].into_iter().fold(grad.clone(), Self::float_sum_dim);
            Self::float_reshape(sum, Shape::new([channels]))
        } else {
            grad.clone()
        };
        let by_weight = if wanted[1] {
            Self::conv2d_weight_backward(input.clone(), weight.clone(), grad.clone(), options.into())
        } else {
            weight.clone()
        };
        let by_input =
            if wanted[0] { Self::conv2d_x_backward(input, weight, grad, options.into()) } else { input };
        (by_input, by_weight, bias)
    }
}

/// The sizes of one convolution.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    images: usize,
    /// Channels of the input, of the output, and of the input per group.
    inputs: usize,
    outputs: usize,
    group_inputs: usize,
    image: [usize; 2],
    kernel: [usize; 2],
    output: [usize; 2],
    options: Conv2d,
}

/// The parts that a batch is cut into, whatever the number of threads, so that sums over them come out the same.
const PARTS: usize = 16;

/// Images below which the threads share one image's channels, not the images.
const FEW_IMAGES: usize = 4;

/// Multiply-adds below which a second thread costs more than it brings.
const PARALLEL: usize = 1 << 19;

impl Sizes {
    fn new(input: [usize; 4], weight: [usize; 4], options: Conv2d) -> Self {
        let ([images, inputs, h, w], [outputs, group_inputs, kh, kw]) = (input, weight);
        let Conv2d { stride, padding, dilation, groups } = options;
        assert!(
            groups > 0
                && group_inputs > 0
                && inputs == group_inputs * groups
                && outputs.is_multiple_of(groups),
            "conv2d: input {input:?}, weight {weight:?}, {groups} groups"
        );
        let along = |axis: usize, size: usize, kernel: usize| {
            let (padded, span) = (size + 2 * padding[axis], dilation[axis] * kernel.saturating_sub(1) + 1);
            assert!(
                size > 0 && kernel > 0 && stride[axis] > 0 && dilation[axis] > 0 && span <= padded,
                "conv2d: input {input:?}, weight {weight:?}, {options:?}"
            );
            (padded - span) / stride[axis] + 1
        };
        let output = [along(0, h, kh), along(1, w, kw)];
        Self { images, inputs, outputs, group_inputs, image: [h, w], kernel: [kh, kw], output, options }
    }

    fn group_outputs(&self) -> usize {
        self.outputs / self.options.groups
    }

    /// Values of one image, before and after.
    fn lengths(&self) -> (usize, usize) {
        let area = |[h, w]: [usize; 2]| h * w;
        (self.inputs * area(self.image), self.outputs * area(self.output))
    }

    /// Distance between the first pixel that output 0 stands at and the pixel that tap `(y, x)` reads.
    fn distance(&self, tap: [usize; 2]) -> [isize; 2] {
        let Conv2d { padding, dilation, .. } = self.options;
        [0, 1].map(|a| (tap[a] * dilation[a]).cast_signed() - padding[a].cast_signed())
    }

    /// Every tap of one channel: its place in the weight, and its distance.
    fn taps(&self) -> impl Iterator<Item = (usize, [isize; 2])> {
        let [kh, kw] = self.kernel;
        (0..kh * kw).map(move |tap| (tap, self.distance([tap / kw, tap % kw])))
    }

    fn weights_per_output(&self) -> usize {
        self.group_inputs * self.kernel[0] * self.kernel[1]
    }

    fn is_little(&self) -> bool {
        let [h, w] = self.output;
        self.images * self.outputs * h * w * self.weights_per_output() < PARALLEL
    }

    /// Images per part.
    fn part(&self) -> usize {
        self.images.div_ceil(PARTS).max(1)
    }

    /// The layout of the input, and the offset of each weight of one output channel.
    fn input_layout(&self) -> (Layout, Vec<usize>) {
        let stride = self.options.stride;
        let shifts: Vec<_> = self.taps().map(|(_, distance)| shift_and_phase(distance, stride)).collect();
        let layout = Layout::new(self.image, stride, self.output, shifts.iter().map(|(shift, _)| *shift));
        let channels = 0..self.group_inputs;
        let offsets = channels.flat_map(|c| shifts.iter().map(move |&(shift, phase)| (c, shift, phase)));
        let offsets = offsets.map(|(channel, shift, phase)| layout.offset(channel, phase, shift)).collect();
        (layout, offsets)
    }

    fn forward(&self, weight: &[f32]) -> Correlation {
        let (layout, offsets) = self.input_layout();
        let taps = self.weights_per_output();
        Correlation::new(
            layout,
            self.group_inputs,
            offsets,
            [self.options.groups, self.group_outputs()],
            |channel, tap| weight[channel * taps + tap],
        )
    }

    /// The gradient by the input: one correlation of the output's gradient per phase of the stride, since a pixel of
    /// phase `a` is read only by the taps whose distance is `a` modulo the stride.
    fn input_gradient(&self, weight: &[f32]) -> Vec<(Correlation, Target)> {
        let stride = self.options.stride;
        let shifts: Vec<_> = self.taps().map(|(tap, d)| (tap, shift_and_phase(d, stride))).collect();
        let back = |shift: [isize; 2]| shift.map(|shift| -shift);
        let pixels = [0, 1].map(|a| self.image[a].div_ceil(stride[a]));
        let layout =
            Layout::new(self.output, [1, 1], pixels, shifts.iter().map(|(_, (shift, _))| back(*shift)));
        let layout = if stride == [1, 1] { layout } else { layout.copied() };
        let [groups, group_outputs, group_inputs] =
            [self.options.groups, self.group_outputs(), self.group_inputs];
        let area = self.kernel[0] * self.kernel[1];
        let phases = (0..stride[0]).flat_map(|y| (0..stride[1]).map(move |x| [y, x]));
        let phases = phases.filter(|phase| phase[0] < self.image[0] && phase[1] < self.image[1]);
        let correlation = |first: [usize; 2]| {
            let shifts: Vec<_> = shifts.iter().filter(|(_, (_, phase))| *phase == first).collect();
            let offset = |channel: usize| {
                let layout = &layout;
                shifts.iter().map(move |(_, (shift, _))| layout.offset(channel, [0, 0], back(*shift)))
            };
            let offsets: Vec<_> = (0..group_outputs).flat_map(offset).collect();
            let correlation =
                Correlation::new(layout, group_outputs, offsets, [groups, group_inputs], |channel, tap| {
                    let (group, input) = (channel / group_inputs, channel % group_inputs);
                    let output = group * group_outputs + tap / shifts.len();
                    weight[(output * group_inputs + input) * area + shifts[tap % shifts.len()].0]
                });
            (correlation, Target { size: self.image, first, step: stride })
        };
        phases.map(correlation).filter(|(correlation, _)| !correlation.is_empty()).collect()
    }
}

impl Conv2dOps for Flex {
    fn fused_conv2d(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: Conv2d,
        relu: bool,
    ) -> FloatTensor<Self> {
        let sizes = Sizes::new(input.shape().dims(), weight.shape().dims(), options);
        let (input, weight, bias) =
            (flex::contiguous(input), flex::contiguous(weight), flex::contiguous(bias));
        let (input, bias) = (flex::values(&input), flex::values(&bias));
        let shape = [sizes.images, sizes.outputs, sizes.output[0], sizes.output[1]];
        if let Some(winograd) = Winograd::new(&sizes)
            && let Some(output) = winograd.forward(input, flex::values(&weight), bias, relu)
        {
            return flex::tensor(output, shape);
        }
        let (before, after) = sizes.lengths();
        let mut output = flex::buffer(sizes.images * after);
        let correlation = sizes.forward(flex::values(&weight));
        let target = Target { size: sizes.output, first: [0, 0], step: [1, 1] };
        if sizes.images * after > 0 {
            let run = |first: usize, output: &mut [f32]| {
                let mut scratch = correlation.scratch();
                for (image, output) in (first..).zip(output.chunks_exact_mut(after)) {
                    let source = scratch.source(&input[image * before..][..before], None);
                    correlation.run(source, Some(bias), relu, target, output);
                }
            };
            if sizes.is_little() {
                run(0, &mut output);
            } else if sizes.images < FEW_IMAGES {
                let mut scratch = correlation.scratch();
                for (image, output) in output.chunks_exact_mut(after).enumerate() {
                    let source = scratch.source(&input[image * before..][..before], None);
                    correlation.run_parallel(source, Some(bias), relu, target, output);
                }
            } else {
                let part = sizes.part();
                let parts = output.par_chunks_mut(part * after).enumerate();
                parts.for_each(|(index, output)| run(index * part, output));
            }
        }
        flex::tensor(output, shape)
    }

    fn fused_conv2d_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        output: FloatTensor<Self>,
        relu: bool,
        options: Conv2d,
        wanted: [bool; 3],
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let sizes = Sizes::new(input.shape().dims(), weight.shape().dims(), options);
        let (input_shape, weight_shape) = (input.shape(), weight.shape());
        let [input, weight, grad, output] = [input, weight, grad, output].map(flex::contiguous);
        let [x, w, g] = [&input, &weight, &grad].map(flex::values);
        let mask = relu.then(|| flex::values(&output));
        let (by_input, by_weight, bias) = gradients(sizes, x, w, g, mask, wanted);
        (
            if wanted[0] { flex::tensor(by_input, input_shape) } else { grad.clone() },
            if wanted[1] { flex::tensor(by_weight, weight_shape) } else { grad.clone() },
            if wanted[2] { flex::tensor(bias, [sizes.outputs]) } else { grad },
        )
    }
}

/// The gradients of input, weight and bias; those that are not wanted may be empty.
type Gradients = (Vec<f32>, Vec<f32>, Vec<f32>);

/// The gradients that are `wanted`, given that of the output, which is zero where `mask` is at most zero. Where those of weight
/// and bias are not, the input may be empty.
fn gradients(
    sizes: Sizes,
    input: &[f32],
    weight: &[f32],
    grad: &[f32],
    mask: Option<&[f32]>,
    wanted: [bool; 3],
) -> Gradients {
    Winograd::new(&sizes)
        .and_then(|winograd| winograd.backward(input, weight, grad, mask, wanted))
        .unwrap_or_else(|| direct_gradients(sizes, input, weight, grad, mask, wanted))
}

/// The same without Winograd's tiles.
fn direct_gradients(
    sizes: Sizes,
    input: &[f32],
    weight: &[f32],
    grad: &[f32],
    mask: Option<&[f32]>,
    wanted: [bool; 3],
) -> Gradients {
    let (before, after) = sizes.lengths();
    let backward = ImageBackward {
        sizes,
        input,
        grad,
        mask,
        by_input: if wanted[0] { sizes.input_gradient(weight) } else { Vec::new() },
        by_weight: (wanted[1] || wanted[2]).then(|| WeightGradient::new(&sizes, wanted[1])),
    };
    let part = sizes.part();
    let range = |index: usize| index * part..sizes.images.min((index + 1) * part);
    let parts = sizes.images.div_ceil(part);
    let mut by_input = flex::buffer(if wanted[0] { sizes.images * before } else { 0 });
    let sums: Vec<_> = if before == 0 || after == 0 || parts == 0 {
        Vec::new()
    } else if wanted[0] {
        let run = |(index, target)| backward.run(range(index), target);
        if sizes.is_little() {
            by_input.chunks_mut(part * before).enumerate().map(run).collect()
        } else {
            by_input.par_chunks_mut(part * before).enumerate().map(run).collect()
        }
    } else {
        let run = |index| backward.run(range(index), &mut []);
        if sizes.is_little() {
            (0..parts).map(run).collect()
        } else {
            (0..parts).into_par_iter().map(run).collect()
        }
    };
    let (by_weight, bias) = match &backward.by_weight {
        Some(gradient) => gradient.total(sums.into_iter().flatten()),
        None => Default::default(),
    };
    (by_input, by_weight, bias)
}

struct ImageBackward<'a> {
    sizes: Sizes,
    input: &'a [f32],
    grad: &'a [f32],
    mask: Option<&'a [f32]>,
    by_input: Vec<(Correlation, Target)>,
    by_weight: Option<WeightGradient>,
}

impl ImageBackward<'_> {
    /// Writes the input's gradient of some images, and returns their sum of the others.
    fn run(&self, images: Range<usize>, mut by_input: &mut [f32]) -> Option<weight::Sums> {
        let (before, after) = self.sizes.lengths();
        let mut scratch = self.by_input.first().map(|(correlation, _)| correlation.scratch());
        let mut sums = self.by_weight.as_ref().map(WeightGradient::sums);
        for image in images {
            let grad = &self.grad[image * after..][..after];
            let mask = self.mask.map(|mask| &mask[image * after..][..after]);
            if let (Some(gradient), Some(sums)) = (&self.by_weight, &mut sums) {
                gradient.add(&self.input[image * before..][..before], grad, mask, sums);
            }
            if let Some(scratch) = &mut scratch {
                let (target, rest) = by_input.split_at_mut(before);
                let source = scratch.source(grad, mask);
                for (correlation, place) in &self.by_input {
                    correlation.run(source, None, false, *place, target);
                }
                by_input = rest;
            }
        }
        sums
    }
}

impl<B: Conv2dOps, C: CheckpointStrategy> Conv2dOps for Autodiff<B, C> {
    fn fused_conv2d(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: Conv2d,
        relu: bool,
    ) -> FloatTensor<Self> {
        let forward = |[x, w, b]: [FloatTensor<B>; 3]| {
            let output = B::fused_conv2d(x.clone(), w.clone(), b, options, relu);
            let kept = if relu { output.clone() } else { x.clone() };
            (output, (x, w, kept, relu, options))
        };
        let inputs = [input, weight, bias];
        crate::tape::record::<B, C, _, 3>(inputs, forward, |(x, w, output, relu, options), grad, wanted| {
            let (x, w, b) = B::fused_conv2d_backward(x, w, grad, output, relu, options, wanted);
            [wanted[0].then_some(x), wanted[1].then_some(w), wanted[2].then_some(b)]
        })
    }
}
