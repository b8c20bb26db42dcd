use std::sync::Arc;

use burn::optim::DynOptimizer;
use crucible_kernels as kernels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Optimizer,
    in_place::{InPlace, Rule},
};

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
        Arc::new(InPlace(self.clone()))
    }

    fn states(&self) -> u64 {
        1 + u64::from(self.centered) + u64::from(self.momentum > 0.0)
    }
}

impl Rule for Rmsprop {
    const MEMORY: &'static [&'static str] = &["square_avg.square_avg", "centered.grad_avg", "momentum.buf"];
    const ALWAYS: usize = 1;

    fn remembers(&self, index: usize) -> bool {
        [true, self.centered, self.momentum > 0.0][index]
    }

    fn step(&self, lr: f64, _: u64) -> kernels::Rule {
        let Self { alpha, eps, momentum, centered, weight_decay, .. } = *self;
        kernels::Rule::Rmsprop { lr, alpha, eps, momentum, centered, weight_decay }
    }
}
