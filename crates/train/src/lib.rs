//! The training loop and everything it is made of.
//!
//! [`train`] takes a network, a data set and a checked [`TrainConfig`], and leaves a [run folder](run_folder) behind:
//! metrics, events for TensorBoard, checkpoints, and the weights. It can be stopped anywhere, by a request or by a
//! power cut, and continues to the same bytes.
//!
//! Absent by design: recipes as text, printing, how privacy is kept, attacks, compression. The clock and the wish to stop come
//! from the caller, who is told of everything through [`Event`]s.

pub mod adversarial;
mod average;
mod batches;
mod checkpoint;
mod config;
mod divergence;
mod error;
mod evaluate;
mod event;
mod gradients;
mod history;
pub mod losses;
mod metrics_log;
mod objective;
pub mod optimizers;
mod registry;
mod rule;
pub mod run_folder;
pub mod schedules;
mod side_by_side;
mod stepper;
mod tensorboard;
mod trainer;
pub mod transfer;
mod update;
mod wrapped;

pub use batches::Batches;
pub use config::{CheckpointConfig, Clip, EarlyStopping, PrivacyConfig, Regularization, TrainConfig, Until};
pub use error::TrainError;
pub use evaluate::{Evaluation, evaluate, predict};
pub use event::{EpochRecord, Event, Outcome, StopReason};
pub use objective::{Batch, Objective, PlainLoss};
pub use rule::{Moment, Ordinary, UpdateRule};
pub use run_folder::RunFolder;
pub use stepper::{BatchLoss, Stepper};
pub use trainer::{Job, train};
pub use update::Updater;
pub use wrapped::{Around, Wrapped};
