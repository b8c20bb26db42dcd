use std::sync::Arc;

use burn::optim::{DynOptimizer, RmsPropConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Optimizer, sgd::weight_decay};

/// `w ← w − η g / (√v + ε)`, with v the running mean of g²; centred, v less the squared running mean of g.
///
/// T. Tieleman, G. Hinton: lecture 6.5, 2012; centred: Graves 2013, section 4.2. Momentum adds up the scaled steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rmsprop {
    /// Learning rate η.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Decay of the running mean of the squared gradient.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub alpha: f64,
    /// Added to the denominator.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub eps: f64,
    /// Momentum over the scaled steps.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Divide by the running variance instead of the running mean square.
    pub centered: bool,
    /// L2 regularization: this times the weights is added to the gradient.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

impl Default for Rmsprop {
    fn default() -> Self {
        Self { lr: 0.01, alpha: 0.99, eps: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 }
    }
}

impl Optimizer for Rmsprop {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn matrices(&self) -> Arc<dyn DynOptimizer> {
        Arc::new(
            RmsPropConfig::new()
                .with_alpha(self.alpha as f32)
                .with_epsilon(self.eps as f32)
                .with_momentum(self.momentum as f32)
                .with_centered(self.centered)
                .with_weight_decay(weight_decay(self.weight_decay))
                .build(),
        )
    }

    fn states(&self) -> u64 {
        // Burn keeps the denominator beside the mean square.
        2 + u64::from(self.centered) + u64::from(self.momentum > 0.0)
    }
}
