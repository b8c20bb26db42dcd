use std::sync::Arc;

use burn::optim::{DynOptimizer, LionConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optimizer;

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
        Arc::new(
            LionConfig::new()
                .with_beta_1(self.beta1 as f32)
                .with_beta_2(self.beta2 as f32)
                .with_weight_decay(self.weight_decay as f32)
                .build(),
        )
    }

    fn states(&self) -> u64 {
        1
    }
}
