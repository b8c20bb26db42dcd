use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use crucible_kernels::{Fused, affine};
use rand_chacha::ChaCha8Rng;

use super::{Adapter, AdapterConfig};
use crate::{Activation, init::uniform_fan_in};

/// A fully connected layer, `activation(x · weightᵀ + bias)`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// What is learned beside the weight; nothing unless [`adapt`](Self::adapt) added it.
    pub adapter: Option<Adapter>,
    #[module(skip)]
    name: String,
    #[module(skip)]
    is_packed: bool,
}

impl Linear {
    /// A layer with PyTorch's default initialization.
    #[must_use]
    pub fn new(name: &str, inputs: usize, outputs: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        Self {
            weight: uniform_fan_in([outputs, inputs], inputs, rng, device),
            bias: uniform_fan_in([outputs], inputs, rng, device),
            adapter: None,
            name: name.to_owned(),
            is_packed: false,
        }
    }

    /// A layer with this weight `[out, in]`, and a bias of zeros.
    pub(crate) fn zero_bias(name: &str, weight: Param<Tensor<2>>, outputs: usize, device: &Device) -> Self {
        let bias = Param::from_tensor(Tensor::zeros([outputs], device));
        Self { weight, bias, adapter: None, name: name.to_owned(), is_packed: false }
    }

    /// A layer whose outputs are the query, key and value of an attention, side by side.
    pub(super) fn packed(self) -> Self {
        Self { is_packed: true, ..self }
    }

    /// What its outputs are, side by side; one nameless part unless it is several layers in one.
    #[must_use]
    pub fn parts(&self) -> &'static [&'static str] {
        if self.is_packed { &["query", "key", "value"] } else { &[""] }
    }

    /// Puts an adapter beside the weight that changes nothing as yet, of these parts of the outputs, which rise.
    ///
    /// # Panics
    ///
    /// Where there is one already, the parts do not rise or are not the layer's, or the rank is zero.
    pub fn adapt(&mut self, parts: &[usize], config: AdapterConfig, rng: &mut ChaCha8Rng) {
        assert!(self.adapter.is_none(), "`{}` has an adapter", self.name);
        assert!(config.rank > 0, "an adapter of rank zero");
        let rise = parts.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(rise && parts.last().is_some_and(|&last| last < self.parts().len()), "parts {parts:?}");
        self.adapter = Some(Adapter::new(self, parts, config, rng));
    }

    /// Adds what was learned to the weight. Without an adapter, as after the first time, nothing changes.
    pub fn merge(&mut self) {
        if let Some(adapter) = self.adapter.take() {
            self.weight = self.weight.clone().map(|weight| adapter.merged(weight));
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
        self.forward_training(input, activation, None)
    }

    /// `[batch, in]` to `[batch, out]`; where there is a generator, an adapter drops some of what it reads.
    #[must_use]
    pub fn forward_training(
        &self,
        input: Tensor<2>,
        activation: Activation,
        rng: Option<&mut ChaCha8Rng>,
    ) -> Tensor<2> {
        if let Some(adapter) = &self.adapter {
            return adapter.forward(self, input, activation, rng);
        }
        let fused = activation.fused();
        let output = affine(input, self.weight.val(), self.bias.val(), fused.unwrap_or(Fused::None));
        if fused.is_some() { output } else { activation.forward(output) }
    }

    /// `[batch, tokens, in]` to `[batch, tokens, out]`.
    #[must_use]
    pub fn forward_tokens(&self, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        self.forward_tokens_training(input, activation, None)
    }

    /// `[batch, tokens, in]` to `[batch, tokens, out]`, as [`forward_training`](Self::forward_training).
    #[must_use]
    pub fn forward_tokens_training(
        &self,
        input: Tensor<3>,
        activation: Activation,
        rng: Option<&mut ChaCha8Rng>,
    ) -> Tensor<3> {
        let [batch, tokens, inputs] = input.dims();
        let output = self.forward_training(input.reshape([batch * tokens, inputs]), activation, rng);
        let [_, outputs] = output.dims();
        output.reshape([batch, tokens, outputs])
    }

    /// Learnable parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let adapter = self.adapter.as_ref().map_or(0, Adapter::parameters);
        self.weight.shape().num_elements() + self.bias.shape().num_elements() + adapter
    }

    /// Multiply-adds for one example.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        let [outputs, inputs] = self.weight.shape().dims();
        outputs as u64 * inputs as u64
    }
}
