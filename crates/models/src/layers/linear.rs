use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use crucible_kernels::{Fused, affine};
use rand_chacha::ChaCha8Rng;

use crate::{Activation, init::uniform_fan_in};

/// A fully connected layer, `activation(x · weightᵀ + bias)`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    name: String,
}

impl Linear {
    /// A layer with PyTorch's default initialization.
    #[must_use]
    pub fn new(name: &str, inputs: usize, outputs: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        Self {
            weight: uniform_fan_in([outputs, inputs], inputs, rng, device),
            bias: uniform_fan_in([outputs], inputs, rng, device),
            name: name.to_owned(),
        }
    }

    /// The name of this site, such as `fc1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `[batch, in]` to `[batch, out]`.
    #[must_use]
    pub fn forward(&self, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        let fused = if activation == Activation::Relu { Fused::Relu } else { Fused::None };
        let output = affine(input, self.weight.val(), self.bias.val(), fused);
        if fused == Fused::Relu { output } else { activation.forward(output) }
    }

    /// Multiply-adds for one example.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        let [outputs, inputs] = self.weight.shape().dims();
        outputs as u64 * inputs as u64
    }
}
