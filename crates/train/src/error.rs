use std::path::PathBuf;

use crucible_models::weights::WeightsError;

use crate::losses::LossError;

/// Why training stopped without finishing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file of the run could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write`, `create`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of the run is not what it should be.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Weights that do not fit the network of the recipe.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file they came from.
        path: PathBuf,
        /// What does not fit.
        source: WeightsError,
    },
    /// The loss does not fit the task.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// The loss or the weights became NaN or infinite.
    #[error(
        "training diverged at step {step} (epoch {epoch}): {place}. What was saved before is untouched. Try a lower \
         learning rate (it was {lr}), `train.clip_norm = 1.0`, or a few hundred `train.warmup_steps`"
    )]
    Diverged {
        /// The step whose loss was not finite, from 1.
        step: u64,
        /// Its epoch, from 1.
        epoch: u64,
        /// The learning rate in force.
        lr: f64,
        /// Where the first value that is not finite stood.
        place: String,
    },
    /// A loss or the weights of a pair became NaN or infinite.
    #[error(
        "training diverged at step {step} (epoch {epoch}) in the {side}: {place}. What was saved before is untouched. Try lower \
         learning rates (generator {}, discriminator {}), spectral normalization of the discriminator, `gan.penalty.name = \
         \"r1\"`, or `gan.clip_norm = 1.0`",
        lrs[0],
        lrs[1]
    )]
    PairDiverged {
        /// The step, from 1.
        step: u64,
        /// Its epoch, from 1.
        epoch: u64,
        /// `generator` or `discriminator`.
        side: &'static str,
        /// The learning rates in force, of generator and discriminator.
        lrs: [f64; 2],
        /// Where the first value that is not finite stood.
        place: String,
    },
    /// A setting of a pair that cannot be.
    #[error("`{key}`: {problem}")]
    Pair {
        /// The recipe's key.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The training split is empty.
    #[error("there are no training examples")]
    NoExamples,
    /// A target for a split that does not exist.
    #[error("`train.until` needs a validation or a test split to measure on, but the data have neither")]
    NothingToMeasure,
    /// An accuracy was asked of a task without classes.
    #[error("`train.until.accuracy` is for classes, but the target is a number; use `train.until.loss`")]
    NoAccuracy,
    /// Training with a guarantee by a rule that keeps none, or the reverse.
    #[error(
        "{}",
        if *asked {
            "`train.privacy` asks for a guarantee, and the update rule keeps none"
        } else {
            "the update rule is for `train.privacy`, which is not set"
        }
    )]
    OtherRule {
        /// Whether a guarantee was asked for.
        asked: bool,
    },
    /// The update rule has no gradient to step by.
    #[error("step {step}: {source}")]
    Rule {
        /// The step, from 1.
        step: u64,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
