use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Position, Schedule};

/// `factor^⌊epoch / every⌋`: PyTorch's `StepLR`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StepDecay {
    /// Epochs between two changes.
    #[schemars(range(min = 1))]
    pub every: u64,
    /// What the learning rate is multiplied by.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub factor: f64,
}

impl Default for StepDecay {
    fn default() -> Self {
        Self { every: 5, factor: 0.1 }
    }
}

impl Schedule for StepDecay {
    fn factor(&self, position: Position<'_>) -> f64 {
        self.factor.powf((position.epoch / self.every.max(1)) as f64)
    }
}
