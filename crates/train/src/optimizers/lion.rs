use std::sync::Arc;

use burn::optim::DynOptimizer;
use crucible_kernels as kernels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Optimizer,
    in_place::{InPlace, Rule},
};

/// `w ← w − η (sign(β₁ m + (1−β₁) g) + λ w)`, `m ← β₂ m + (1−β₂) g`.
///
/// X. Chen et al.: Symbolic discovery of optimization algorithms, 2023, algorithm 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lion {
    /// Learning rate η.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Interpolation β₁ of the step.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Decay β₂ of the momentum.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Decoupled weight decay λ.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Self { lr: 1e-4, beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }
}

impl Optimizer for Lion {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn matrices(&self) -> Arc<dyn DynOptimizer> {
        Arc::new(InPlace(self.clone()))
    }

    fn states(&self) -> u64 {
        1
    }
}

impl Rule for Lion {
    const MEMORY: &'static [&'static str] = &["momentum"];

    fn step(&self, lr: f64, _: u64) -> kernels::Rule {
        let Self { beta1, beta2, weight_decay, .. } = *self;
        kernels::Rule::Lion { lr, beta1, beta2, weight_decay }
    }
}
