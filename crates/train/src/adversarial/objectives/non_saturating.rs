use burn::tensor::{Tensor, activation::log_sigmoid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Contest;

/// Of a real score `r` and a generated one `f`: `softplus(−r) + softplus(f)` for the discriminator, `softplus(−f)` for the generator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NonSaturating {}

impl Contest for NonSaturating {
    fn discriminator(&self, real: Tensor<2>, fake: Tensor<2>) -> Tensor<1> {
        // softplus(x) = −log σ(−x), which overflows nowhere.
        (log_sigmoid(real).mean() + log_sigmoid(fake.neg()).mean()).neg()
    }

    fn generator(&self, fake: Tensor<2>) -> Tensor<1> {
        log_sigmoid(fake).mean().neg()
    }

    fn boundary(&self) -> Option<f64> {
        Some(0.0)
    }
}
