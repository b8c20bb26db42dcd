use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Position, Schedule, half_cosine};

/// From `1/start_divisor` up to 1 during the first `rise` of the steps, then down to
/// `1/(start_divisor · end_divisor)`: PyTorch's `OneCycleLR` with the optimizer's learning rate as its `max_lr`
/// (momentum is left alone).
///
/// L. Smith, N. Topin: Super-convergence, 2018.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OneCycle {
    /// Share of the steps on the way up.
    #[schemars(extend("exclusiveMinimum" = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub rise: f64,
    /// The learning rate starts at this part of its maximum.
    #[schemars(range(min = 1.0))]
    pub start_divisor: f64,
    /// It ends at this part of its start.
    #[schemars(range(min = 1.0))]
    pub end_divisor: f64,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self { rise: 0.3, start_divisor: 25.0, end_divisor: 1e4 }
    }
}

impl Schedule for OneCycle {
    fn factor(&self, position: Position<'_>) -> f64 {
        let (step, last) = (position.step as f64, position.steps as f64 - 1.0);
        let (start, peak) = (1.0 / self.start_divisor, self.rise * (last + 1.0) - 1.0);
        if step < peak {
            half_cosine(start, 1.0, step / peak)
        } else {
            let share = (step - peak) / (last - peak).max(f64::MIN_POSITIVE);
            half_cosine(1.0, start / self.end_divisor, share.min(1.0))
        }
    }
}
