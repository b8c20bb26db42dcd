use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Penalty;

/// Every weight of the discriminator is cut to `±limit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WeightClipping {
    /// The largest absolute value.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub limit: f64,
}

impl Default for WeightClipping {
    fn default() -> Self {
        Self { limit: 0.01 }
    }
}

impl Penalty for WeightClipping {
    fn bound(&self) -> Option<f64> {
        Some(self.limit)
    }
}
