use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Contest;

/// Of a real score `r` and a generated one `f`: `f − r` for the discriminator, `−f` for the generator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wasserstein {}

impl Contest for Wasserstein {
    fn discriminator(&self, real: Tensor<2>, fake: Tensor<2>) -> Tensor<1> {
        fake.mean() - real.mean()
    }

    fn generator(&self, fake: Tensor<2>) -> Tensor<1> {
        fake.mean().neg()
    }

    fn boundary(&self) -> Option<f64> {
        None
    }
}
