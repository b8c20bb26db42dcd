use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Contest;

/// Of a real score `r` and a generated one `f`: `½ (r − 1)² + ½ f²` for the discriminator, `½ (f − 1)²` for the generator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeastSquares {}

impl Contest for LeastSquares {
    fn discriminator(&self, real: Tensor<2>, fake: Tensor<2>) -> Tensor<1> {
        ((real - 1.0).square().mean() + fake.square().mean()) * 0.5
    }

    fn generator(&self, fake: Tensor<2>) -> Tensor<1> {
        (fake - 1.0).square().mean() * 0.5
    }

    fn boundary(&self) -> Option<f64> {
        Some(0.5)
    }
}
