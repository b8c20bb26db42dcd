//! The optimizers, one file each, and the one list that names them.
//!
//! The arithmetic is one kernel's, `optimizer_step`, but for Muon's matrices, which step by Burn's; what stands here is each published rule's parameters with the meaning that PyTorch gives
//! them, and its defaults but for the learning rate of SGD (0.01, the article's) and for Muon, whose steps are scaled so
//! that one learning rate fits AdamW's part too. Golden values of PyTorch hold every one of them to
//! it (`tests/optimizers.rs`).

mod adagrad;
mod adam;
mod adamw;
mod gradient_descent;
mod in_place;
mod lion;
mod muon;
mod rmsprop;
mod sgd;

use std::sync::Arc;

use burn::optim::DynOptimizer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamw::Adamw;
pub use gradient_descent::GradientDescent;
pub use lion::Lion;
pub use muon::Muon;
pub use rmsprop::Rmsprop;
pub use sgd::Sgd;

/// How a gradient becomes a step.
pub trait Optimizer {
    /// The learning rate, before any schedule.
    fn lr(&self) -> f64;

    /// The rule for weight matrices (rank 2).
    fn matrices(&self) -> Arc<dyn DynOptimizer>;

    /// The rule for everything else: biases, scales, convolution kernels.
    fn others(&self) -> Arc<dyn DynOptimizer> {
        self.matrices()
    }

    /// Whether a step sees the whole training split.
    fn full_batch(&self) -> bool {
        false
    }

    /// Values that it keeps for each weight.
    fn states(&self) -> u64;
}

/// One line an optimizer: its variant, whose kebab-case name recipes use, and its configuration.
macro_rules! optimizers {
    ($($(#[$doc:meta])* $variant:ident,)*) => {
        /// The recipe's `[train.optimizer]` table.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum OptimizerConfig {
            $($(#[$doc])* $variant($variant),)*
        }

        impl OptimizerConfig {
            /// The optimizer itself.
            #[must_use]
            pub fn optimizer(&self) -> &dyn Optimizer {
                match self {
                    $(Self::$variant(optimizer) => optimizer,)*
                }
            }
        }
    };
}

optimizers! {
    /// Full-batch gradient descent: one step an epoch, on the gradient over all training examples.
    GradientDescent,
    /// Stochastic gradient descent, with momentum and Nesterov's form of it.
    Sgd,
    /// Adam: steps scaled by running moments of the gradient; `weight_decay` is L2 in the gradient.
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
    /// RMSprop: steps divided by the running root mean square of the gradient.
    Rmsprop,
    /// Adagrad: steps divided by the root of the sum of squared gradients.
    Adagrad,
    /// Lion: the sign of an interpolated momentum.
    Lion,
    /// Muon: orthogonalized momentum for weight matrices, AdamW for the rest.
    Muon,
}

impl Default for OptimizerConfig {
    /// The article's: SGD with learning rate 0.01 and momentum 0.9.
    fn default() -> Self {
        Self::Sgd(Sgd { momentum: 0.9, ..Sgd::default() })
    }
}
