use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use crucible_kernels::embedding;
use rand_chacha::ChaCha8Rng;

use super::SpectralNorm;
use crate::init::normal;

/// How well features fit a class: their product with a learned vector of it (Miyato and Koyama 2018).
#[derive(Module, Debug)]
pub struct Projection {
    /// `[classes, features]`, before it is normalized.
    pub weight: Param<Tensor<2>>,
    /// What the weight is divided by.
    pub spectral: Option<SpectralNorm>,
    #[module(skip)]
    name: String,
}

impl Projection {
    /// Small random vectors of standard deviation 0.02.
    #[must_use]
    pub fn new(
        name: &str,
        [classes, features]: [usize; 2],
        spectral: bool,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let weight = normal([classes, features], 0.02, rng, device);
        let spectral = spectral.then(|| SpectralNorm::of(&weight.val(), rng, device));
        Self { weight, spectral, name: name.to_owned() }
    }

    /// The name of this site.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Features `[batch, features]` and the class of each `[batch, 1]` to `[batch, 1]`.
    #[must_use]
    pub fn forward(&self, features: Tensor<2>, classes: Tensor<2, Int>, training: bool) -> Tensor<2> {
        let weight = match &self.spectral {
            Some(spectral) => spectral.normalized(self.weight.val(), training),
            None => self.weight.val(),
        };
        (embedding(weight, classes).squeeze_dim::<2>(1) * features).sum_dim(1)
    }

    /// Learnable parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.weight.shape().num_elements()
    }
}
