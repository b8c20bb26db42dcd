use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{At, Penalty};

/// `weight · (‖∇D(x)‖ − 1)²` at points between real and generated pictures: WGAN-GP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GradientPenalty {
    /// How much it counts: λ.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub weight: f64,
}

impl Default for GradientPenalty {
    fn default() -> Self {
        Self { weight: 10.0 }
    }
}

impl Penalty for GradientPenalty {
    fn at(&self) -> Option<At> {
        Some(At::Between)
    }

    fn cost(&self, norm: f64) -> [f64; 2] {
        [self.weight * (norm - 1.0).powi(2), 2.0 * self.weight * (norm - 1.0)]
    }
}
