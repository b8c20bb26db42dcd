use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use crucible_kernels::layer_norm;

/// Layer normalization (Ba et al. 2016) over the last axis.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale, `[features]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, `[features]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    name: String,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    /// What is added to the variance where nothing else is said: PyTorch's default.
    pub const EPSILON: f64 = 1e-5;

    /// Scale one, shift zero.
    #[must_use]
    pub fn new(name: &str, features: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::ones([features], device)),
            bias: Param::from_tensor(Tensor::zeros([features], device)),
            name: name.to_owned(),
            epsilon,
        }
    }

    /// The name of this site, such as `norm1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is added to the variance.
    #[must_use]
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Normalizes each token of `[batch, tokens, features]`.
    #[must_use]
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, features] = input.dims();
        let rows = input.reshape([batch * tokens, features]);
        layer_norm(rows, self.weight.val(), self.bias.val(), self.epsilon).reshape([batch, tokens, features])
    }
}
