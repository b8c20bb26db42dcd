use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, module::conv_transpose2d, ops::ConvTransposeOptions};
use crucible_kernels::{self as kernels, Fused, conv2d};
use rand_chacha::ChaCha8Rng;

use crate::{Activation, init::uniform_fan_in};

/// The sizes of a [`Conv2d`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
    /// Distance between the kernel's taps.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Conv2dConfig {
    /// A square kernel with stride 1 and neither padding, dilation nor groups.
    #[must_use]
    pub fn square(inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self {
            inputs,
            outputs,
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
        }
    }

    /// The same with `padding` zeros on every side.
    #[must_use]
    pub fn padding(self, padding: usize) -> Self {
        Self { padding: [padding; 2], ..self }
    }

    /// Height and width of the output, or `None` where the kernel does not fit the input.
    #[must_use]
    pub fn output_size(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let span = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            Some((size[axis] + 2 * self.padding[axis]).checked_sub(span)? / self.stride[axis] + 1)
        };
        Some([along(0)?, along(1)?])
    }
}

/// A 2-D convolution (cross-correlation, as everywhere in deep learning) with bias.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[out, in / groups, kernel height, kernel width]`.
    pub weight: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    config: Conv2dConfig,
    #[module(skip)]
    name: String,
}

impl Conv2d {
    /// A layer with PyTorch's default initialization.
    #[must_use]
    pub fn new(name: &str, config: Conv2dConfig, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let [height, width] = config.kernel;
        let inputs = config.inputs / config.groups;
        let fan_in = inputs * height * width;
        Self {
            weight: uniform_fan_in([config.outputs, inputs, height, width], fan_in, rng, device),
            bias: uniform_fan_in([config.outputs], fan_in, rng, device),
            config,
            name: name.to_owned(),
        }
    }

    /// The name of this site, such as `conv1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sizes of this layer.
    #[must_use]
    pub fn config(&self) -> &Conv2dConfig {
        &self.config
    }

    /// `[batch, in, height, width]` to `[batch, out, height', width']`.
    #[must_use]
    pub fn forward(&self, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let fused = if activation == Activation::Relu { Fused::Relu } else { Fused::None };
        let output = conv2d(input, self.weight.val(), self.bias.val(), self.options(), fused);
        if fused == Fused::Relu { output } else { activation.forward(output) }
    }

    /// The same convolution with another weight and bias of the same shapes, and no activation.
    #[must_use]
    pub fn forward_with(&self, input: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
        conv2d(input, weight, bias, self.options(), Fused::None)
    }

    /// The transpose of the convolution without its bias, as a linear function of pictures `size` high and wide: `[batch,
    /// out, height', width']` to `[batch, in, height, width]`.
    #[must_use]
    pub fn transposed(&self, output: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
        let Conv2dConfig { kernel, stride, padding, dilation, groups, .. } = self.config;
        let [_, _, height, width] = output.dims();
        // What the windows do not reach.
        let rest = [0, 1].map(|axis| {
            let reached =
                ([height, width][axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1;
            size[axis] + 2 * padding[axis] - reached
        });
        let options = ConvTransposeOptions::new(stride, padding, rest, dilation, groups);
        conv_transpose2d(output, self.weight.val(), None, options)
    }

    fn options(&self) -> kernels::Conv2d {
        let Conv2dConfig { stride, padding, dilation, groups, .. } = self.config;
        kernels::Conv2d { stride, padding, dilation, groups }
    }

    /// Multiply-adds for one example whose output is `size` high and wide.
    #[must_use]
    pub fn multiply_adds(&self, size: [usize; 2]) -> u64 {
        self.weight.shape().num_elements() as u64 * size[0] as u64 * size[1] as u64
    }
}
