use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::{Dropout, LayerNorm, Linear, Padding, SelfAttention};
use crate::{Activation, Tap};

/// The sizes of an [`EncoderLayer`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderLayerConfig {
    /// Features of a token.
    pub width: usize,
    /// Heads of the attention, a divisor of the width.
    pub heads: usize,
    /// Units between the two linear layers.
    pub feedforward: usize,
    /// The function after them.
    pub activation: Activation,
    /// Probability of dropping each value that is added to a token, while training.
    pub dropout: f64,
    /// Probability of dropping each unit between the two linear layers, while training.
    pub unit_dropout: f64,
    /// Normalize before attention and feedforward, not after they were added.
    pub norm_first: bool,
    /// What the normalizations add to the variance.
    pub epsilon: f64,
}

/// One layer of a Transformer encoder: attention and a two-layer network, each added to its input and normalized.
/// PyTorch's `TransformerEncoderLayer`.
#[derive(Module, Debug)]
pub struct EncoderLayer {
    self_attn: SelfAttention,
    linear1: Linear,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    #[module(skip)]
    dropout: [Option<Dropout>; 3],
    #[module(skip)]
    config: EncoderLayerConfig,
}

impl EncoderLayer {
    /// A layer with PyTorch's default initialization.
    #[must_use]
    pub fn new(name: &str, config: EncoderLayerConfig, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let EncoderLayerConfig { width, heads, feedforward, dropout, unit_dropout, epsilon, .. } = config;
        let named = |part: &str| format!("{name}.{part}");
        let drop = |part: &str, share: f64| (share > 0.0).then(|| Dropout::new(&named(part), share));
        Self {
            self_attn: SelfAttention::new(&named("self_attn"), width, heads, false, rng, device),
            linear1: Linear::new(&named("linear1"), width, feedforward, rng, device),
            linear2: Linear::new(&named("linear2"), feedforward, width, rng, device),
            norm1: LayerNorm::new(&named("norm1"), width, epsilon, device),
            norm2: LayerNorm::new(&named("norm2"), width, epsilon, device),
            dropout: [drop("dropout", unit_dropout), drop("dropout1", dropout), drop("dropout2", dropout)],
            config,
        }
    }

    /// `[batch, tokens, width]` to the same. No token sees one that is hidden.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>, padding: Option<&Padding>, tap: &mut dyn Tap) -> Tensor<3> {
        if self.config.norm_first {
            let normal = tap.layer_norm(&self.norm1, x.clone());
            let attended = self.attend(normal, padding, tap);
            let x = tap.add(x, attended);
            let normal = tap.layer_norm(&self.norm2, x.clone());
            let fed = self.feed(normal, tap);
            tap.add(x, fed)
        } else {
            let attended = self.attend(x.clone(), padding, tap);
            let sum = tap.add(x, attended);
            let x = tap.layer_norm(&self.norm1, sum);
            let fed = self.feed(x.clone(), tap);
            let sum = tap.add(x, fed);
            tap.layer_norm(&self.norm2, sum)
        }
    }

    /// Its linear layers, in the order of the forward pass.
    pub fn linears(&mut self) -> Vec<&mut Linear> {
        let mut linears = self.self_attn.linears();
        linears.extend([&mut self.linear1, &mut self.linear2]);
        linears
    }

    fn attend(&self, x: Tensor<3>, padding: Option<&Padding>, tap: &mut dyn Tap) -> Tensor<3> {
        let x = self.self_attn.forward(x, padding, tap);
        self.drop(1, x, tap)
    }

    fn feed(&self, x: Tensor<3>, tap: &mut dyn Tap) -> Tensor<3> {
        let x = tap.linear_tokens(&self.linear1, x, self.config.activation);
        let x = self.drop(0, x, tap);
        let x = tap.linear_tokens(&self.linear2, x, Activation::Identity);
        self.drop(2, x, tap)
    }

    fn drop(&self, place: usize, x: Tensor<3>, tap: &mut dyn Tap) -> Tensor<3> {
        let Some(dropout) = &self.dropout[place] else { return x };
        let shape = x.dims();
        tap.dropout(dropout, x.flatten(1, 2)).reshape(shape)
    }
}
