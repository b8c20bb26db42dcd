use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use crucible_kernels::embedding;
use rand_chacha::ChaCha8Rng;

use crate::init::{normal, uniform};

/// A learned vector for each of a vocabulary's tokens: PyTorch's `Embedding`.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[vocabulary, features]`.
    pub weight: Param<Tensor<2>>,
    #[module(skip)]
    name: String,
}

impl Embedding {
    /// Small random vectors of standard deviation 0.02 (Devlin et al. 2019).
    #[must_use]
    pub fn new(
        name: &str,
        vocabulary: usize,
        features: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let bound = 0.02 * 3f32.sqrt();
        Self { weight: uniform([vocabulary, features], bound, rng, device), name: name.to_owned() }
    }

    /// Vectors of standard deviation 1: PyTorch's own default.
    #[must_use]
    pub fn standard(
        name: &str,
        vocabulary: usize,
        features: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        Self { weight: normal([vocabulary, features], 1.0, rng, device), name: name.to_owned() }
    }

    /// The name of this site.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The vectors of tokens `[batch, tokens]`: `[batch, tokens, features]`.
    ///
    /// # Panics
    ///
    /// On the CPU where a token is not of the vocabulary.
    #[must_use]
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        embedding(self.weight.val(), tokens)
    }
}
