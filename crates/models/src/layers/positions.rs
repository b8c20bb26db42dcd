use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use crate::init::uniform;

/// A learned vector for each place in a sequence, added to the token there.
#[derive(Module, Debug)]
pub struct Positions {
    /// `[tokens, features]`.
    pub weight: Param<Tensor<2>>,
    #[module(skip)]
    name: String,
}

impl Positions {
    /// Small random vectors of standard deviation 0.02 (Dosovitskiy et al. 2021).
    #[must_use]
    pub fn new(name: &str, tokens: usize, features: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let bound = 0.02 * 3f32.sqrt();
        Self { weight: uniform([tokens, features], bound, rng, device), name: name.to_owned() }
    }

    /// The name of this site.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `[batch, tokens, features]` to the same.
    #[must_use]
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        input + self.weight.val().unsqueeze_dim(0)
    }
}
