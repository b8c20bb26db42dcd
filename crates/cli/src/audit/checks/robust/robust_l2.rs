use crucible_measure::limits::Limit;
use crucible_robust::{AttackConfig, Norm};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attempt, auto, thousand};
use crate::audit::{Check, Concern, Cost, Finding, Needs, Subject, Unmeasured};

/// Accuracy against an attacker who may change an input by a Euclidean distance of at most `eps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RobustL2 {
    /// The least share of examples that stay right.
    #[schemars(range(min = 0.0, max = 1.0))]
    min: f64,
    /// The largest change; for pictures in units where 0 is black and 1 is white.
    #[schemars(range(min = 0.0))]
    eps: f32,
    /// The attack.
    #[serde(default = "auto")]
    attack: AttackConfig,
    /// The first so many unseen examples are attacked.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1))]
    examples: usize,
}

impl RobustL2 {
    fn attempt(&self) -> Attempt<'_> {
        let Self { min, eps, attack, examples } = self;
        Attempt { norm: Norm::L2, eps: *eps, attack, examples: *examples, min: *min }
    }
}

impl Check for RobustL2 {
    const CONCERN: Concern = Concern::Robustness;
    const NEEDS: Needs = Needs::Gradients;
    const COST: Cost = Cost::Minutes;

    fn title(&self) -> String {
        self.attempt().title()
    }

    fn limit(&self) -> Limit {
        self.attempt().limit()
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        self.attempt().measure(subject)
    }
}
