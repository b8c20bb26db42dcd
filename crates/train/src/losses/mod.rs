//! The losses, one file each, and the one list that names them.

mod binary_cross_entropy;
mod cross_entropy;
mod half_mse;
mod mse;

use burn::tensor::Tensor;
use crucible_data::{Examples, Targets, Task};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use binary_cross_entropy::BinaryCrossEntropy;
pub use cross_entropy::CrossEntropy;
pub use half_mse::HalfMse;
pub use mse::Mse;

/// What a network is trained to make small, and how its raw outputs are read.
pub trait Loss: Sync {
    /// How many outputs the network needs for the task.
    ///
    /// # Errors
    ///
    /// Where the loss does not fit the task; the text names one that does.
    fn outputs(&self, task: &Task) -> Result<usize, LossError>;

    /// The mean loss of a batch, `[batch, outputs]` against targets of the same shape; a scalar.
    fn forward(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1>;

    /// The loss of each example, `[batch]`, of which [`forward`](Self::forward) is the mean.
    fn each(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1>;

    /// Raw outputs as predictions: probabilities of the classes, `[batch, classes]`, or values, `[batch, targets]`.
    fn predict(&self, outputs: Tensor<2>, task: &Task) -> Tensor<2>;

    /// One target row for `class` of `outputs`, appended to `out`.
    fn encode_class(&self, class: u32, outputs: usize, out: &mut Vec<f32>) {
        out.extend((0..outputs).map(|output| f32::from(output == class as usize)));
    }
}

/// One line a loss: its variant, whose kebab-case name recipes use, and its configuration.
macro_rules! losses {
    ($($(#[$doc:meta])* $variant:ident,)*) => {
        /// The recipe's `[train.loss]` table.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum LossConfig {
            $($(#[$doc])* $variant($variant),)*
        }

        impl LossConfig {
            /// The loss itself.
            #[must_use]
            pub fn loss(&self) -> &dyn Loss {
                match self {
                    $(Self::$variant(loss) => loss,)*
                }
            }
        }
    };
}

losses! {
    /// Categorical cross-entropy of a softmax, for classes.
    CrossEntropy,
    /// Binary cross-entropy of a sigmoid, for two classes and one output.
    BinaryCrossEntropy,
    /// Mean squared error: the mean over examples and outputs.
    Mse,
    /// The article's squared error: the sum over outputs, halved, and averaged over examples, `1/(2m) Σ‖ŷ − y‖²`.
    HalfMse,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self::CrossEntropy(CrossEntropy::default())
    }
}

/// A loss that does not fit the task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// A loss for classes was given numbers to predict.
    #[error("`{loss}` is for classes, but the target is a number; use `mse`")]
    NeedsClasses {
        /// The loss.
        loss: &'static str,
    },
    /// A loss for two classes was given more.
    #[error("`binary-cross-entropy` is for two classes, but there are {classes}; use `cross-entropy`")]
    NeedsTwoClasses {
        /// How many there are.
        classes: usize,
    },
}

/// The targets of the examples at `indices` as rows of `outputs` values.
#[must_use]
pub fn encode_targets(loss: &dyn Loss, examples: &Examples, indices: &[u32], outputs: usize) -> Vec<f32> {
    match examples.targets() {
        Targets::Values { .. } => examples.gather_values(indices),
        Targets::Classes(_) => {
            let mut out = Vec::with_capacity(indices.len() * outputs);
            for class in examples.gather_classes(indices) {
                loss.encode_class(class, outputs, &mut out);
            }
            out
        }
    }
}

/// Scores that are no probabilities, clipped to `[0, 1]` and divided by their sum; uniform where all are zero.
fn normalize_scores(scores: Tensor<2>, task: &Task) -> Tensor<2> {
    let Task::Classification { classes } = task else { return scores };
    let clipped = scores.clamp(0.0, 1.0) + 1e-12;
    debug_assert_eq!(clipped.dims()[1], classes.len());
    clipped.clone() / clipped.sum_dim(1)
}
