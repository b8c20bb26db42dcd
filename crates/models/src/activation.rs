//! Activation functions.

use burn::tensor::{Tensor, activation};
use crucible_kernels::{Fused, Smooth, leaky_relu, smooth};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The function between two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x`: none at all.
    Identity,
    /// `max(0, x)`.
    Relu,
    /// `x` where positive, `0.01 x` elsewhere.
    LeakyRelu,
    /// `x Φ(x)`, with the exact normal distribution function.
    Gelu,
    /// `x / (1 + e⁻ˣ)`, also called swish.
    Silu,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// What the kernels compute together with the layer before, if they can.
    pub(crate) fn fused(self) -> Option<Fused> {
        match self {
            Self::Identity => Some(Fused::None),
            Self::Relu => Some(Fused::Relu),
            Self::LeakyRelu => None,
            Self::Gelu => Some(Fused::Smooth(Smooth::Gelu)),
            Self::Silu => Some(Fused::Smooth(Smooth::Silu)),
            Self::Sigmoid => Some(Fused::Smooth(Smooth::Sigmoid)),
            Self::Tanh => Some(Fused::Smooth(Smooth::Tanh)),
        }
    }

    /// Applies the function to every element.
    #[must_use]
    pub fn forward<const D: usize>(self, input: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Identity => input,
            Self::Relu => activation::relu(input),
            Self::LeakyRelu => leaky_relu(input, 0.01),
            Self::Gelu => smooth(Smooth::Gelu, input),
            Self::Silu => smooth(Smooth::Silu, input),
            Self::Sigmoid => smooth(Smooth::Sigmoid, input),
            Self::Tanh => smooth(Smooth::Tanh, input),
        }
    }
}
