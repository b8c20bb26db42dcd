//! The learning-rate schedules, one file each, and the one list that names them.

mod constant;
mod cosine;
mod exponential;
mod linear;
mod one_cycle;
mod plateau;
mod step;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use constant::Constant;
pub use cosine::Cosine;
pub use exponential::Exponential;
pub use linear::Linear;
pub use one_cycle::OneCycle;
pub use plateau::Plateau;
pub use step::StepDecay;

/// Where training stands, for a schedule to look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position<'a> {
    /// Steps taken so far.
    pub step: u64,
    /// Steps that the whole job takes.
    pub steps: u64,
    /// Epochs completed so far.
    pub epoch: u64,
    /// The monitored loss after each completed epoch.
    pub losses: &'a [f64],
}

/// How the learning rate moves.
pub trait Schedule {
    /// What the optimizer's learning rate is multiplied by at `position`.
    fn factor(&self, position: Position<'_>) -> f64;
}

/// One line a schedule: its variant, whose kebab-case name recipes use, and its configuration.
macro_rules! schedules {
    ($($(#[$doc:meta])* $variant:ident($config:ty),)*) => {
        /// The recipe's `[train.schedule]` table.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum ScheduleConfig {
            $($(#[$doc])* $variant($config),)*
        }

        impl ScheduleConfig {
            /// The schedule itself.
            #[must_use]
            pub fn schedule(&self) -> &dyn Schedule {
                match self {
                    $(Self::$variant(schedule) => schedule,)*
                }
            }
        }
    };
}

schedules! {
    /// The same learning rate throughout.
    Constant(Constant),
    /// Multiplied by a factor every few epochs.
    Step(StepDecay),
    /// Multiplied by a factor every epoch.
    Exponential(Exponential),
    /// Down along half a cosine over the whole job.
    Cosine(Cosine),
    /// Up to the optimizer's learning rate and down to 0, along lines.
    Linear(Linear),
    /// Up to the optimizer's learning rate and far down again, along cosines.
    OneCycle(OneCycle),
    /// Multiplied by a factor when the monitored loss has stopped falling.
    Plateau(Plateau),
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self::Constant(Constant {})
    }
}

/// From `start` at 0 to `end` at 1 along half a cosine.
fn half_cosine(start: f64, end: f64, share: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + (std::f64::consts::PI * share).cos())
}
