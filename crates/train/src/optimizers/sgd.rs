use std::sync::Arc;

use burn::optim::DynOptimizer;
use crucible_kernels as kernels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Optimizer,
    in_place::{InPlace, Rule},
};

/// `v ← μ v + g`, `w ← w − η v`, where g includes `weight_decay · w`; Nesterov's form steps by `g + μ v`.
///
/// Polyak 1964; Sutskever et al. 2013 for the Nesterov form. Without momentum, `w ← w − η g`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// Learning rate η.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Momentum μ.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Nesterov's form of momentum.
    pub nesterov: bool,
    /// L2 regularization: this times the weights is added to the gradient.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { lr: 0.01, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

impl Optimizer for Sgd {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn matrices(&self) -> Arc<dyn DynOptimizer> {
        Arc::new(InPlace(self.clone()))
    }

    fn states(&self) -> u64 {
        u64::from(self.momentum > 0.0)
    }
}

impl Rule for Sgd {
    const MEMORY: &'static [&'static str] = &["velocity"];

    fn remembers(&self, _: usize) -> bool {
        self.momentum > 0.0
    }

    fn step(&self, lr: f64, _: u64) -> kernels::Rule {
        let Self { momentum, nesterov, weight_decay, .. } = *self;
        kernels::Rule::Sgd { lr, momentum, nesterov, weight_decay }
    }
}
