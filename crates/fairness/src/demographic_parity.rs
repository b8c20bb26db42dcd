use burn::tensor::Tensor;
use schemars::JsonSchema;

use crate::{Notion, Scene, gap::between_groups};

/// Every group gets the favourable answer with the same mean probability.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
pub struct Parity;

impl Notion for Parity {
    fn apart(scene: &Scene<'_>) -> Tensor<1> {
        let probability = scene.probability();
        let all = probability.clone().inner().ones_like();
        between_groups(probability, scene.groups.clone(), Tensor::from_inner(all))
    }
}
