use burn::tensor::{Tensor, activation::relu};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Contest;

/// Of a real score `r` and a generated one `f`: `max(0, 1 − r) + max(0, 1 + f)` for the discriminator, `−f` for the generator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hinge {}

impl Contest for Hinge {
    fn discriminator(&self, real: Tensor<2>, fake: Tensor<2>) -> Tensor<1> {
        relu(real.neg() + 1.0).mean() + relu(fake + 1.0).mean()
    }

    fn generator(&self, fake: Tensor<2>) -> Tensor<1> {
        fake.mean().neg()
    }

    fn boundary(&self) -> Option<f64> {
        Some(0.0)
    }
}
