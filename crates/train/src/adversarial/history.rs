//! What training tells of a pair, and everything that it remembers besides tensors.

use crucible_measure::Mean;
use crucible_models::Generator;
use serde::{Deserialize, Serialize};

use super::Alarm;
use crate::StopReason;

/// Something that happened in the training of a pair.
#[derive(Debug)]
#[non_exhaustive]
pub enum PairEvent<'a> {
    /// Training begins, or goes on after `step` steps.
    Start {
        /// Steps taken before.
        step: u64,
        /// Steps that the whole job takes.
        steps: u64,
    },
    /// A step was taken: some of the discriminator, and one of the generator.
    Step {
        /// Its number, from 1.
        step: u64,
        /// Real pictures in it.
        examples: u64,
        /// The generator's loss.
        generator_loss: f64,
        /// The discriminator's, without a penalty: the mean of its steps.
        discriminator_loss: f64,
    },
    /// An epoch was completed, and a sheet of samples written.
    Epoch(&'a PairRecord),
    /// Something looks wrong, and did not after the epoch before.
    Alarm(Alarm),
}

/// An epoch in numbers; losses and scores are means over its steps, as they were taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairRecord {
    /// Its number, from 1.
    pub epoch: u64,
    /// Epochs that the whole job takes.
    pub epochs: u64,
    /// Steps of the generator taken by its end.
    pub step: u64,
    /// The generator's loss.
    pub generator_loss: f64,
    /// The discriminator's loss, without a penalty.
    pub discriminator_loss: f64,
    /// The penalty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub penalty: Option<f64>,
    /// Scores of real pictures.
    pub real_score: f64,
    /// Scores of generated pictures, before the discriminator stepped by them.
    pub fake_score: f64,
    /// The share of pictures, real and generated, that the discriminator told rightly; none where its scores have no zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<f64>,
    /// The spread of samples over that of real pictures, within classes where there are some.
    pub spread: f64,
    /// The learning rates of its last step, of generator and discriminator.
    pub lrs: [f64; 2],
    /// What the numbers are a sign of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<Alarm>,
    /// Seconds of training so far, samples included.
    pub seconds: f64,
}

/// What training of a pair came to.
#[derive(Debug)]
pub struct PairOutcome {
    /// The generator, or the average of its weights, not tracked by autodiff.
    pub generator: Generator,
    /// Why it ended.
    pub reason: StopReason,
    /// Its epochs.
    pub epochs: Vec<PairRecord>,
    /// Steps of the generator.
    pub steps: u64,
    /// Seconds of training, over all sittings.
    pub seconds: f64,
}

/// Means over an epoch that is under way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Means {
    pub(super) generator_loss: Mean,
    pub(super) discriminator_loss: Mean,
    pub(super) penalty: Mean,
    pub(super) real_score: Mean,
    pub(super) fake_score: Mean,
    pub(super) told: Mean,
}

/// Counters and records; together with the tensors of a checkpoint, the whole state of training.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct PairHistory {
    /// Steps taken.
    pub(super) step: u64,
    /// Steps taken in the epoch under way.
    pub(super) epoch_step: u64,
    pub(super) means: Means,
    /// Completed epochs.
    pub(super) epochs: Vec<PairRecord>,
    pub(super) seconds: f64,
    pub(super) metrics_bytes: u64,
    pub(super) events_bytes: u64,
}
