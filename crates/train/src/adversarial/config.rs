//! The recipe's `[gan]` table.

use crucible_models::{
    DiscriminatorConfig, GeneratorConfig,
    discriminators::{DcganConfig, Normalization},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Augmentation, objectives::ObjectiveConfig, penalties::PenaltyConfig};
use crate::{
    CheckpointConfig,
    optimizers::{Adam, OptimizerConfig},
    schedules::ScheduleConfig,
};

/// A generator and a discriminator, and how they are trained against each other. The default is DCGAN's (Radford et al. 2016) with
/// spectral normalization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GanConfig {
    /// Passes over the training split.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub epochs: u64,
    /// Real pictures, and generated ones, in one step of either side.
    #[schemars(range(min = 2))]
    pub batch_size: usize,
    /// Random numbers that a picture is made of.
    #[schemars(range(min = 1, max = 4096))]
    pub latent: usize,
    /// Whether the generator is told which class to make, and the discriminator which it should be.
    pub conditional: bool,
    /// Steps of the discriminator for one of the generator.
    #[schemars(range(min = 1, max = 1000))]
    pub critic_steps: u64,
    /// Decay of an exponential moving average of the generator's weights, which is then what is kept; 0 for none. Early in training it
    /// is lower, so that the first weights are soon forgotten.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub ema: f64,
    /// The largest allowed norm of each side's gradient; larger ones are scaled down to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub clip_norm: Option<f64>,
    /// What makes pictures.
    pub generator: GeneratorConfig,
    /// What judges them.
    pub discriminator: DiscriminatorConfig,
    /// What each side makes small.
    pub objective: ObjectiveConfig,
    /// What keeps the discriminator smooth; nothing by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub penalty: Option<PenaltyConfig>,
    /// How pictures are changed before they are judged; not at all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augmentation: Option<Augmentation>,
    /// How the generator's gradient becomes a step.
    pub generator_optimizer: OptimizerConfig,
    /// How the discriminator's gradient becomes a step.
    pub discriminator_optimizer: OptimizerConfig,
    /// How both learning rates move.
    pub schedule: ScheduleConfig,
    /// When to save the whole state of training.
    pub checkpoint: CheckpointConfig,
}

impl Default for GanConfig {
    fn default() -> Self {
        let adam = || OptimizerConfig::Adam(Adam { lr: 2e-4, beta1: 0.5, ..Adam::default() });
        Self {
            epochs: 20,
            batch_size: 64,
            latent: 100,
            conditional: false,
            critic_steps: 1,
            ema: 0.999,
            clip_norm: None,
            generator: GeneratorConfig::default(),
            discriminator: DiscriminatorConfig::default(),
            objective: ObjectiveConfig::default(),
            penalty: None,
            augmentation: None,
            generator_optimizer: adam(),
            discriminator_optimizer: adam(),
            schedule: ScheduleConfig::default(),
            checkpoint: CheckpointConfig::default(),
        }
    }
}

impl GanConfig {
    /// Steps in one pass over so many examples.
    #[must_use]
    pub fn steps_per_epoch(&self, examples: usize) -> u64 {
        (examples as u64 / (self.batch_size as u64 * self.critic_steps).max(1)).max(1)
    }

    /// Every key of the table with a setting that does not go with the others, and why.
    #[must_use]
    pub fn check(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut add = |key, problem: &str| problems.push((key, problem.to_owned()));
        let optimizers = [
            ("gan.generator_optimizer", &self.generator_optimizer),
            ("gan.discriminator_optimizer", &self.discriminator_optimizer),
        ];
        for (key, optimizer) in optimizers {
            if optimizer.optimizer().full_batch() {
                add(
                    key,
                    "`gradient-descent` sees all examples in a step, and a generator's pictures never end",
                );
            }
        }
        if matches!(self.schedule, ScheduleConfig::Plateau(_)) {
            add(
                "gan.schedule",
                "`plateau` watches a loss, and that of neither side tells how good the pictures are",
            );
        }
        let penalized = self.penalty.as_ref().is_some_and(|penalty| penalty.penalty().at().is_some());
        let mixes = matches!(
            self.discriminator,
            DiscriminatorConfig::Dcgan(DcganConfig { normalization: Normalization::Batch, .. })
        );
        if penalized && mixes {
            add(
                "gan.penalty",
                "a penalty on gradients looks at each picture alone, and batch norm mixes them; take \"spectral\" or \"none\" for \
                 `gan.discriminator.normalization`",
            );
        }
        problems
    }
}
