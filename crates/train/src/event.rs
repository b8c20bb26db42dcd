//! What training tells its caller.

use crucible_models::Network;
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Training begins, or goes on after `step` steps.
    Start {
        /// Steps taken before.
        step: u64,
        /// Steps that the whole job takes.
        steps: u64,
    },
    /// A step was taken.
    Step {
        /// Its number, from 1.
        step: u64,
        /// Examples in it.
        examples: u64,
        /// Its loss.
        loss: f64,
    },
    /// An epoch was completed and measured.
    Epoch(&'a EpochRecord),
}

/// An epoch in numbers. Accuracies are those of classes, 0 to 1, and absent for regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Its number, from 1.
    pub epoch: u64,
    /// Epochs that the whole job takes.
    pub epochs: u64,
    /// Steps taken by its end.
    pub step: u64,
    /// The mean training loss of its steps, as they were taken.
    pub loss: f64,
    /// The learning rate of its last step.
    pub lr: f64,
    /// Loss on the validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Accuracy on the validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Loss on the test split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_loss: Option<f64>,
    /// Accuracy on the test split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// Seconds of training so far, measuring included.
    pub seconds: f64,
}

impl EpochRecord {
    /// The loss that early stopping, `plateau` and the best checkpoint go by: never that of the test split.
    #[must_use]
    pub fn monitored(&self) -> f64 {
        self.validation_loss.unwrap_or(self.loss)
    }
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// All epochs were done.
    Completed,
    /// The target of `until` was met.
    TargetMet,
    /// The monitored loss had stopped falling.
    EarlyStopped,
    /// Another step would have cost more privacy than the recipe allows.
    BudgetSpent,
    /// The caller asked to stop; the run can be resumed.
    Interrupted,
}

/// What training came to.
#[derive(Debug)]
pub struct Outcome {
    /// The network, no longer tracked by autodiff: the average where one was kept, the best where training stopped
    /// early, else the last.
    pub network: Network,
    /// Why it ended.
    pub reason: StopReason,
    /// Every completed epoch.
    pub epochs: Vec<EpochRecord>,
    /// The epoch with the lowest monitored loss.
    pub best_epoch: Option<u64>,
    /// Steps taken.
    pub steps: u64,
    /// Seconds of training, over all sittings.
    pub seconds: f64,
}
