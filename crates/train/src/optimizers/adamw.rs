use std::sync::Arc;

use burn::optim::DynOptimizer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Optimizer,
    adam::{Adam, Moments},
    in_place::InPlace,
};

/// Adam's step after `w ← w − η λ w`: weight decay apart from the gradient.
///
/// I. Loshchilov, F. Hutter: Decoupled weight decay regularization, 2019, algorithm 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Adamw {
    /// Learning rate η.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Decay of the running mean of the gradient.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Decay of the running mean of its square.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Added to the denominator.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub eps: f64,
    /// Decoupled weight decay λ.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// Divide by the largest v̂ so far.
    pub amsgrad: bool,
}

impl Default for Adamw {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01, amsgrad: false }
    }
}

impl Optimizer for Adamw {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn matrices(&self) -> Arc<dyn DynOptimizer> {
        let Self { lr, beta1, beta2, eps, weight_decay, amsgrad } = *self;
        let adam = Adam { lr, beta1, beta2, eps, weight_decay, amsgrad };
        Arc::new(InPlace(Moments { adam, decoupled: true }))
    }

    fn states(&self) -> u64 {
        if self.amsgrad { 3 } else { 2 }
    }
}
