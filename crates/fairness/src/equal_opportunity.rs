use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Mitigation, gap::between_groups, scene::Scene};

/// The loss, and the variance between groups of the mean probability of the favourable answer among those who deserve it.
///
/// Source: A. Beutel et al., "Putting fairness principles into practice", AIES 2019, with the variance between groups in the
/// place of their correlation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EqualOpportunity {
    /// The column of the group.
    pub group: String,
    /// The class that is good to get; of two classes the second by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub favourable: Option<String>,
    /// How much it counts beside the loss.
    #[serde(default = "weight")]
    #[schemars(range(min = 0.0))]
    pub weight: f64,
}

fn weight() -> f64 {
    10.0
}

impl Default for EqualOpportunity {
    fn default() -> Self {
        Self { group: String::new(), favourable: None, weight: weight() }
    }
}

impl Mitigation for EqualOpportunity {
    fn group(&self) -> &str {
        &self.group
    }

    fn favourable(&self) -> Option<&str> {
        self.favourable.as_deref()
    }
}

impl EqualOpportunity {
    pub(crate) fn loss(&self, scene: &Scene<'_>) -> Tensor<1> {
        let apart = between_groups(scene.probability(), scene.groups.clone(), scene.deserved());
        scene.plain() + apart.mul_scalar(self.weight)
    }
}
