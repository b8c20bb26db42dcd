use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Position, Schedule, half_cosine};

/// `m + (1 − m)/2 · (1 + cos(π step/steps))` with m the smallest factor: PyTorch's `CosineAnnealingLR` by steps.
///
/// I. Loshchilov, F. Hutter: SGDR, 2017, equation 5 without restarts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {
    /// The factor at the end.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_factor: f64,
}

impl Schedule for Cosine {
    fn factor(&self, position: Position<'_>) -> f64 {
        half_cosine(1.0, self.min_factor, position.step as f64 / position.steps.max(1) as f64)
    }
}
