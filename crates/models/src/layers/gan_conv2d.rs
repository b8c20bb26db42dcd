use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use crucible_kernels::{self as kernels, Fused, conv2d};
use rand_chacha::ChaCha8Rng;

use super::{Conv2dConfig, Reparametrized, SpectralNorm};
use crate::{Activation, init::normal};

/// A 2-D convolution that may lack a bias, and whose weight may be held to spectral norm 1.
#[derive(Module, Debug)]
pub struct GanConv2d {
    /// `[out, in / groups, kernel height, kernel width]`, before it is normalized.
    pub weight: Param<Tensor<4>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// What the weight is divided by.
    pub spectral: Option<SpectralNorm>,
    #[module(skip)]
    config: Conv2dConfig,
    #[module(skip)]
    name: String,
}

impl GanConv2d {
    /// A layer with normal weights of a standard deviation and a bias of zeros.
    #[must_use]
    pub fn new(
        name: &str,
        config: Conv2dConfig,
        options: Reparametrized,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let [height, width] = config.kernel;
        let inputs = config.inputs / config.groups;
        let deviation = options.deviation(inputs * height * width);
        let weight = normal([config.outputs, inputs, height, width], deviation, rng, device);
        let spectral = options.spectral.then(|| SpectralNorm::of(&weight.val(), rng, device));
        let bias = options.bias.then(|| Param::from_tensor(Tensor::zeros([config.outputs], device)));
        Self { weight, bias, spectral, config, name: name.to_owned() }
    }

    /// The name of this site, such as `conv1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The weight that it multiplies by; while `training`, its norm is measured anew.
    #[must_use]
    pub fn normalized(&self, training: bool) -> Tensor<4> {
        match &self.spectral {
            Some(spectral) => spectral.normalized(self.weight.val(), training),
            None => self.weight.val(),
        }
    }

    /// `[batch, in, height, width]` to `[batch, out, height', width']`.
    #[must_use]
    pub fn forward(&self, input: Tensor<4>, activation: Activation, training: bool) -> Tensor<4> {
        let fused = if activation == Activation::Relu { Fused::Relu } else { Fused::None };
        let weight = self.normalized(training);
        let bias = match &self.bias {
            Some(bias) => bias.val(),
            None => Tensor::zeros([self.config.outputs], &input.device()),
        };
        let output = conv2d(input, weight, bias, self.options(), fused);
        if fused == Fused::Relu { output } else { activation.forward(output) }
    }

    /// The same without the bias.
    #[must_use]
    pub fn product(&self, input: Tensor<4>) -> Tensor<4> {
        let bias = Tensor::zeros([self.config.outputs], &input.device());
        conv2d(input, self.normalized(false), bias, self.options(), Fused::None)
    }

    fn options(&self) -> kernels::Conv2d {
        let Conv2dConfig { stride, padding, dilation, groups, .. } = self.config;
        kernels::Conv2d { stride, padding, dilation, groups }
    }

    /// Learnable parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.weight.shape().num_elements() + self.bias.as_ref().map_or(0, |bias| bias.shape().num_elements())
    }

    /// Multiply-adds for one example whose output is `size` high and wide.
    #[must_use]
    pub fn multiply_adds(&self, size: [usize; 2]) -> u64 {
        self.weight.shape().num_elements() as u64 * size[0] as u64 * size[1] as u64
    }
}
