use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use crucible_kernels::{Fused, affine};
use rand_chacha::ChaCha8Rng;

use super::SpectralNorm;
use crate::init::normal;

/// How the layers of generators and discriminators begin, and what is done to their weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reparametrized {
    /// Standard deviation of the first weights; none for `√(2 / fan in)` (He et al. 2015).
    pub deviation: Option<f64>,
    /// Whether there is a bias.
    pub bias: bool,
    /// Whether the weight is held to spectral norm 1.
    pub spectral: bool,
}

impl Reparametrized {
    /// The standard deviation of the first weights.
    pub(super) fn deviation(&self, fan_in: usize) -> f64 {
        self.deviation.unwrap_or_else(|| (2.0 / fan_in.max(1) as f64).sqrt())
    }
}

/// A fully connected layer that may lack a bias, and whose weight may be held to spectral norm 1.
#[derive(Module, Debug)]
pub struct GanLinear {
    /// `[out, in]`, before it is normalized.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// What the weight is divided by.
    pub spectral: Option<SpectralNorm>,
    #[module(skip)]
    name: String,
}

impl GanLinear {
    /// A layer with normal weights and a bias of zeros.
    #[must_use]
    pub fn new(
        name: &str,
        [inputs, outputs]: [usize; 2],
        options: Reparametrized,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let weight = normal([outputs, inputs], options.deviation(inputs), rng, device);
        let spectral = options.spectral.then(|| SpectralNorm::of(&weight.val(), rng, device));
        let bias = options.bias.then(|| Param::from_tensor(Tensor::zeros([outputs], device)));
        Self { weight, bias, spectral, name: name.to_owned() }
    }

    /// The name of this site, such as `fc`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The weight that it multiplies by; while `training`, its norm is measured anew.
    #[must_use]
    pub fn normalized(&self, training: bool) -> Tensor<2> {
        match &self.spectral {
            Some(spectral) => spectral.normalized(self.weight.val(), training),
            None => self.weight.val(),
        }
    }

    /// `[batch, in]` to `[batch, out]`.
    #[must_use]
    pub fn forward(&self, input: Tensor<2>, training: bool) -> Tensor<2> {
        let bias = self.bias.as_ref().map(Param::val);
        self.with_bias(input, bias, training)
    }

    /// The same without the bias.
    #[must_use]
    pub fn product(&self, input: Tensor<2>) -> Tensor<2> {
        self.with_bias(input, None, false)
    }

    fn with_bias(&self, input: Tensor<2>, bias: Option<Tensor<1>>, training: bool) -> Tensor<2> {
        let outputs = self.weight.dims()[0];
        let bias = bias.unwrap_or_else(|| Tensor::zeros([outputs], &input.device()));
        affine(input, self.normalized(training), bias, Fused::None)
    }

    /// Learnable parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.weight.shape().num_elements() + self.bias.as_ref().map_or(0, |bias| bias.shape().num_elements())
    }
}
