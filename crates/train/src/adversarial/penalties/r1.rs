use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{At, Penalty};

/// `weight / 2 · ‖∇D(x)‖²` at real pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct R1 {
    /// How much it counts: γ.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub weight: f64,
    /// Steps of the discriminator from one penalty to the next, which counts for all of them (Karras et al. 2020, appendix B).
    #[schemars(range(min = 1))]
    pub every: u64,
}

impl Default for R1 {
    fn default() -> Self {
        Self { weight: 10.0, every: 1 }
    }
}

impl Penalty for R1 {
    fn at(&self) -> Option<At> {
        Some(At::Real)
    }

    fn cost(&self, norm: f64) -> [f64; 2] {
        [self.weight / 2.0 * norm.powi(2), self.weight * norm]
    }

    fn every(&self) -> u64 {
        self.every.max(1)
    }
}
