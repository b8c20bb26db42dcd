use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Position, Schedule};

/// `factor^epoch`: PyTorch's `ExponentialLR`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Exponential {
    /// What the learning rate is multiplied by after each epoch.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub factor: f64,
}

impl Default for Exponential {
    fn default() -> Self {
        Self { factor: 0.9 }
    }
}

impl Schedule for Exponential {
    fn factor(&self, position: Position<'_>) -> f64 {
        self.factor.powf(position.epoch as f64)
    }
}
