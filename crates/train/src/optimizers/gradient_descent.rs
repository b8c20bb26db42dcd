use std::sync::Arc;

use burn::optim::DynOptimizer;
use crucible_kernels as kernels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Optimizer,
    in_place::{InPlace, Rule},
};

/// `w ← w − η g`, with g the gradient of the loss over the whole training split: one step an epoch. The batch size
/// only bounds memory: the gradient is added up batch by batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GradientDescent {
    /// Learning rate η.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// L2 regularization: this times the weights is added to the gradient.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

impl Default for GradientDescent {
    fn default() -> Self {
        Self { lr: 0.1, weight_decay: 0.0 }
    }
}

impl Optimizer for GradientDescent {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn matrices(&self) -> Arc<dyn DynOptimizer> {
        Arc::new(InPlace(self.clone()))
    }

    fn full_batch(&self) -> bool {
        true
    }

    fn states(&self) -> u64 {
        0
    }
}

impl Rule for GradientDescent {
    const MEMORY: &'static [&'static str] = &[];

    fn step(&self, lr: f64, _: u64) -> kernels::Rule {
        kernels::Rule::Sgd { lr, momentum: 0.0, nesterov: false, weight_decay: self.weight_decay }
    }
}
