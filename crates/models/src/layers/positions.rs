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
    #[module(skip)]
    first: usize,
}

impl Positions {
    /// Small random vectors of standard deviation 0.02 (Dosovitskiy et al. 2021).
    #[must_use]
    pub fn new(name: &str, tokens: usize, features: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let bound = 0.02 * 3f32.sqrt();
        Self { weight: uniform([tokens, features], bound, rng, device), name: name.to_owned(), first: 0 }
    }

    /// The same, with the vector `first` for the first token: those before it are no place's.
    #[must_use]
    pub fn starting_at(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// The name of this site.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The vector that the first token gets.
    #[must_use]
    pub fn first(&self) -> usize {
        self.first
    }

    /// `[batch, tokens, features]` to the same; there may be fewer tokens than places.
    ///
    /// # Panics
    ///
    /// Where there are more.
    #[must_use]
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let ([_, tokens, _], [places, _]) = (input.dims(), self.weight.dims());
        let weight = self.weight.val();
        let whole = self.first == 0 && tokens == places;
        let weight = if whole { weight } else { weight.narrow(0, self.first, tokens) };
        input + weight.unsqueeze_dim(0)
    }
}
