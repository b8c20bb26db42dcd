use burn::module::Module;
use burn::tensor::{Device, Tensor};
use crucible_kernels::{Attention, self_attention};
use rand_chacha::ChaCha8Rng;

use super::{Linear, Padding};
use crate::{Activation, Tap, init::uniform};

/// Multi-head attention of a sequence to itself (Vaswani et al. 2017): PyTorch's `MultiheadAttention`.
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// Query, key and value of each token: `[3 · width, width]`.
    pub in_proj: Linear,
    /// What mixes the heads: `[width, width]`.
    pub out_proj: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    causal: bool,
    #[module(skip)]
    name: String,
}

impl SelfAttention {
    /// A layer with PyTorch's default initialization; `width` is a multiple of `heads`. If `causal`, no token sees the
    /// tokens behind it.
    #[must_use]
    pub fn new(
        name: &str,
        width: usize,
        heads: usize,
        causal: bool,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        // Xavier's over all three projections together.
        let bound = (6.0 / (4 * width) as f32).sqrt();
        let linear = |name: &str, weight, outputs: usize| Linear::zero_bias(name, weight, outputs, device);
        let in_proj = uniform([3 * width, width], bound, rng, device);
        let out_proj = uniform([width, width], 1.0 / (width as f32).sqrt(), rng, device);
        Self {
            in_proj: linear(&format!("{name}.in_proj"), in_proj, 3 * width).packed(),
            out_proj: linear(&format!("{name}.out_proj"), out_proj, width),
            heads,
            causal,
            name: name.to_owned(),
        }
    }

    /// Its two projections.
    pub fn linears(&mut self) -> Vec<&mut Linear> {
        vec![&mut self.in_proj, &mut self.out_proj]
    }

    /// The name of this site, such as `layers.0.self_attn`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Heads that the width is divided among.
    #[must_use]
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Whether no token sees the tokens behind it.
    #[must_use]
    pub fn is_causal(&self) -> bool {
        self.causal
    }

    /// `[batch, tokens, width]` to the same: projections and heads, each through the tap.
    #[must_use]
    pub fn forward(&self, input: Tensor<3>, padding: Option<&Padding>, tap: &mut dyn Tap) -> Tensor<3> {
        let packed = tap.linear_tokens(&self.in_proj, input, Activation::Identity);
        let mixed = tap.self_attention(self, packed, padding);
        tap.linear_tokens(&self.out_proj, mixed, Activation::Identity)
    }

    /// The heads alone: query, key and value side by side `[batch, tokens, 3 · width]` to `[batch, tokens, width]`. No
    /// token sees one that is hidden.
    #[must_use]
    pub fn attend(&self, packed: Tensor<3>, padding: Option<&Padding>) -> Tensor<3> {
        self_attention(
            packed,
            padding.map(Padding::mask),
            Attention { heads: self.heads, causal: self.causal },
        )
    }

    /// Multiply-adds of the heads for one example of `tokens` tokens.
    #[must_use]
    pub fn multiply_adds(&self, tokens: usize) -> u64 {
        let [width, _] = self.out_proj.weight.shape().dims();
        2 * (tokens * tokens * width) as u64
    }
}
