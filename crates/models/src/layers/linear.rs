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

    /// A layer with this weight `[out, in]`, and a bias of zeros.
    pub(super) fn zero_bias(name: &str, weight: Param<Tensor<2>>, outputs: usize, device: &Device) -> Self {
        Self { weight, bias: Param::from_tensor(Tensor::zeros([outputs], device)), name: name.to_owned() }
    }

    /// The name of this site, such as `fc1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `[batch, in]` to `[batch, out]`.
    #[must_use]
    pub fn forward(&self, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        let fused = activation.fused();
        let output = affine(input, self.weight.val(), self.bias.val(), fused.unwrap_or(Fused::None));
        if fused.is_some() { output } else { activation.forward(output) }
    }

    /// `[batch, tokens, in]` to `[batch, tokens, out]`.
    #[must_use]
    pub fn forward_tokens(&self, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        let [batch, tokens, inputs] = input.dims();
        let output = self.forward(input.reshape([batch * tokens, inputs]), activation);
        let [_, outputs] = output.dims();
        output.reshape([batch, tokens, outputs])
    }

    /// Learnable parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.weight.shape().num_elements() + self.bias.shape().num_elements()
    }

    /// Multiply-adds for one example.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        let [outputs, inputs] = self.weight.shape().dims();
        outputs as u64 * inputs as u64
    }
}
