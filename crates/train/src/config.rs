//! The recipe's `[train]` table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{losses::LossConfig, optimizers::OptimizerConfig, schedules::ScheduleConfig};

/// How a network is trained. The default is the article's job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training split.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub epochs: u64,
    /// Examples in one step; the last of an epoch may be smaller.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Whether the examples of a batch are of like length, so that little of it is padding: by default texts are, and no other
    /// examples can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_by_length: Option<bool>,
    /// Steps over which the learning rate first rises from near 0.
    pub warmup_steps: u64,
    /// The largest allowed norm of the gradient of all parameters together; larger ones are scaled down to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub clip_norm: Option<f64>,
    /// Decay of an exponential moving average of the weights, such as 0.999; the average is then what is measured and
    /// kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub ema: Option<f64>,
    /// What is made small.
    pub loss: LossConfig,
    /// How a gradient becomes a step.
    pub optimizer: OptimizerConfig,
    /// How the learning rate moves.
    pub schedule: ScheduleConfig,
    /// What keeps the weights small. L2 is the optimizer's `weight_decay`; with `l1` it makes the elastic net.
    pub regularization: Regularization,
    /// Stop when the monitored loss has stopped falling, and keep the weights of its best epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Stop at the end of the first epoch that meets a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Train with a guarantee for the privacy of each training example: DP-SGD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyConfig>,
    /// When to save the whole state of training.
    pub checkpoint: CheckpointConfig,
}

impl TrainConfig {
    /// Examples in a step, of so many: all of them where the optimizer asks for that.
    #[must_use]
    pub fn step_size(&self, examples: usize) -> usize {
        if self.optimizer.optimizer().full_batch() { examples } else { self.batch_size }
    }

    /// Steps in one pass over so many examples.
    #[must_use]
    pub fn steps_per_epoch(&self, examples: usize) -> u64 {
        examples.div_ceil(self.step_size(examples).max(1)) as u64
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 64,
            group_by_length: None,
            warmup_steps: 0,
            clip_norm: None,
            ema: None,
            loss: LossConfig::default(),
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            regularization: Regularization::default(),
            early_stopping: None,
            until: None,
            privacy: None,
            checkpoint: CheckpointConfig::default(),
        }
    }
}

/// Penalties and constraints on the weights (matrices and kernels, not biases).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Regularization {
    /// L1: this times the sign of each weight is added to its gradient.
    #[schemars(range(min = 0.0))]
    pub l1: f64,
    /// Max-norm: the largest allowed Euclidean norm of the weights into one unit; larger ones are scaled down to it
    /// after each step (Srivastava et al. 2014, section 5.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub max_norm: Option<f64>,
}

/// Patience with a monitored loss: that of the validation split, or of the training split where there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a lower loss that are let pass.
    #[schemars(range(min = 1))]
    pub patience: u64,
    /// How much lower counts.
    #[schemars(range(min = 0.0))]
    pub min_delta: f64,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self { patience: 5, min_delta: 0.0 }
    }
}

/// Targets; those given must all be met. They are measured on the validation split, or on the test split where there
/// is none (the report then says that the test split was used to choose when to stop).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Until {
    /// At least this accuracy, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub accuracy: Option<f64>,
    /// At most this loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub loss: Option<f64>,
}

impl Until {
    /// Whether a loss and an accuracy (none for regression) meet the targets.
    #[must_use]
    pub fn is_met(&self, loss: f64, accuracy: Option<f64>) -> bool {
        let accurate = self.accuracy.is_none_or(|target| accuracy.is_some_and(|accuracy| accuracy >= target));
        accurate && self.loss.is_none_or(|target| loss <= target)
    }
}

/// (ε, δ)-differential privacy of single training examples, kept by the update rule of `crucible-privacy`: each step takes
/// every example with the probability `batch_size` over their number, clips the gradient of each, and adds noise to the
/// sum (Abadi et al. 2016). What may be wrong with these settings, that rule tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacyConfig {
    /// The most that may be spent, such as 3. Alone, it sets the noise such that all epochs can be done; beside `noise`,
    /// training ends before it is exceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// The probability that the promise is not kept; below one over the number of training examples, such as 1e-5.
    pub delta: f64,
    /// The noise's standard deviation over the clipping norm. Without `epsilon`, training takes all its epochs and tells
    /// what they cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// The clipping norm: the most that one example can change a step's sum by.
    #[serde(default = "one")]
    pub clip: f64,
    /// How a gradient is clipped.
    #[serde(default)]
    pub clipping: Clip,
    /// Most examples whose gradients are computed at a time. A step's sample of any size is added up over such parts.
    #[serde(default = "some")]
    #[schemars(range(min = 1))]
    pub physical_batch_size: usize,
    /// Draw samples and noise from the recipe's seed, which anyone can repeat: for tests. The run is NOT private.
    #[serde(default)]
    pub seeded: bool,
}

fn one() -> f64 {
    1.0
}

fn some() -> usize {
    256
}

/// How an example's gradient `g` is clipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Clip {
    /// `g · min(1, clip / ‖g‖)`.
    #[default]
    Flat,
    /// `g · clip / (‖g‖ + 0.01)`: nearly the same length for all (Bu et al. 2022).
    Automatic,
    /// Each layer's gradient for itself, flat to `clip / √layers` (McMahan et al. 2018).
    PerLayer,
}

/// When to save the whole state of training. The end of each epoch always is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Save after this many steps, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub every_steps: Option<u64>,
    /// Save when this many minutes have passed, too.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub every_minutes: f64,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { every_steps: None, every_minutes: 5.0 }
    }
}
