use burn::tensor::Tensor;
use schemars::JsonSchema;

use crate::{Notion, Scene, gap::between_groups};

/// The same among those who deserve it.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
pub struct Opportunity;

impl Notion for Opportunity {
    fn apart(scene: &Scene<'_>) -> Tensor<1> {
        between_groups(scene.probability(), scene.groups.clone(), scene.deserved())
    }
}
