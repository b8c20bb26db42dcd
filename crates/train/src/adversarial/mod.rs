//! Generative adversarial networks: a generator that makes pictures and a discriminator that tells them from real ones, each
//! trained against the other (Goodfellow et al. 2014).
//!
//! [`train_pair`] is to them what [`train`](crate::train) is to one network: it leaves a [run folder](crate::run_folder) behind,
//! stops anywhere, and goes on to the same bytes. A step is some steps of the discriminator and one of the generator.

mod alarm;
mod augmentation;
mod config;
mod critic;
mod history;
pub mod objectives;
mod pair;
pub mod penalties;
mod samples;
mod trainer;

pub use alarm::Alarm;
pub use augmentation::Augmentation;
pub use config::GanConfig;
pub use history::{PairEvent, PairOutcome, PairRecord};
pub use pair::{Pair, PairStepper};
pub use samples::{latent, pictures};
pub use trainer::{PairJob, train_pair};
