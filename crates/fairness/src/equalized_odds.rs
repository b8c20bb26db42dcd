use burn::tensor::Tensor;
use schemars::JsonSchema;

use crate::{Notion, Scene, gap::between_groups};

/// The same among those who deserve it, and among those who do not.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
pub struct Odds;

impl Notion for Odds {
    fn apart(scene: &Scene<'_>) -> Tensor<1> {
        let (probability, deserved) = (scene.probability(), scene.deserved());
        let others = deserved.clone().neg().add_scalar(1.0);
        let of = |counts| between_groups(probability.clone(), scene.groups.clone(), counts);
        of(deserved) + of(others)
    }
}
