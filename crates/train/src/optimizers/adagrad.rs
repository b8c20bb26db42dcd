use std::sync::Arc;

use burn::optim::DynOptimizer;
use crucible_kernels as kernels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Optimizer,
    in_place::{InPlace, Rule},
};

/// `w ← w − η/(1 + (t−1) d) · g / (√Σg² + ε)` at step t, with d the decay of the learning rate.
///
/// J. Duchi, E. Hazan, Y. Singer: Adaptive subgradient methods, 2011.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Adagrad {
    /// Learning rate η.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Decay d of the learning rate with the steps.
    #[schemars(range(min = 0.0))]
    pub lr_decay: f64,
    /// Added to the denominator.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub eps: f64,
    /// L2 regularization: this times the weights is added to the gradient.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Self { lr: 0.01, lr_decay: 0.0, eps: 1e-10, weight_decay: 0.0 }
    }
}

impl Optimizer for Adagrad {
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

impl Rule for Adagrad {
    const MEMORY: &'static [&'static str] = &["lr_decay.sum"];
    const TIME: Option<&'static str> = Some("lr_decay.time");

    fn step(&self, lr: f64, time: u64) -> kernels::Rule {
        let lr = lr / (1.0 + (time as f64 - 1.0) * self.lr_decay);
        kernels::Rule::Adagrad { lr, eps: self.eps, weight_decay: self.weight_decay }
    }
}
