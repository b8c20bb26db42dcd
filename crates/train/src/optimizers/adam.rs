use std::sync::Arc;

use burn::optim::DynOptimizer;
use crucible_kernels as kernels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Optimizer,
    in_place::{InPlace, Rule},
};

/// `w ← w − η m̂ / (√v̂ + ε)`, with bias-corrected running means m̂ of the gradient and v̂ of its square.
///
/// D. Kingma, J. Ba: Adam, a method for stochastic optimization, 2015, algorithm 1. AMSGrad: Reddi et al. 2018.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
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
    /// L2 regularization: this times the weights is added to the gradient.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// Divide by the largest v̂ so far.
    pub amsgrad: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, amsgrad: false }
    }
}

impl Optimizer for Adam {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn matrices(&self) -> Arc<dyn DynOptimizer> {
        Arc::new(InPlace(Moments { adam: self.clone(), decoupled: false }))
    }

    fn states(&self) -> u64 {
        if self.amsgrad { 3 } else { 2 }
    }
}

/// What Adam and AdamW share: all but the place of the weight decay.
#[derive(Clone)]
pub(super) struct Moments {
    pub(super) adam: Adam,
    pub(super) decoupled: bool,
}

impl Rule for Moments {
    const MEMORY: &'static [&'static str] =
        &["momentum.moment_1", "momentum.moment_2", "momentum.max_moment_2"];
    const ALWAYS: usize = 2;
    const TIME: Option<&'static str> = Some("momentum.time");

    fn remembers(&self, index: usize) -> bool {
        index < Self::ALWAYS || self.adam.amsgrad
    }

    fn step(&self, lr: f64, time: u64) -> kernels::Rule {
        let Adam { beta1, beta2, eps, weight_decay, amsgrad, .. } = self.adam;
        kernels::Rule::Adam { lr, beta1, beta2, eps, weight_decay, decoupled: self.decoupled, amsgrad, time }
    }
}
