//! Auditing a guarantee of privacy: from how well an attack does to a bound that ε cannot lie below. The ways, a file each.
//!
//! A bound above the promised ε proves the promise broken; one below it proves nothing, since a better attack may exist.
//! Each is wrong with a probability of at most one minus the confidence, and only where the attack, its threshold and how
//! often it guesses were chosen before the outcomes were seen that are counted: the best of several audits is none.

mod canaries;
mod gaussian;
mod one_run;
mod rates;

use crucible_measure::{Proportion, clopper_pearson};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use canaries::{Canary, canaries, secret_coins, with_canaries};
pub use gaussian::gaussian;
pub use one_run::{Guesses, one_run, p_value};
pub use rates::rates;

use crate::PrivacyError;

/// How often an attack was mistaken, over independent runs of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mistakes {
    /// Of the runs without the canary, those that it took for one with it.
    pub false_positives: Proportion,
    /// Of the runs with the canary, those that it took for one without.
    pub false_negatives: Proportion,
}

/// A way from an attack's mistakes over many runs to a bound of ε.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// What differential privacy itself allows: a bound for any way of training.
    #[default]
    Rates,
    /// What Gaussian differential privacy allows: higher, but a bound only for training with Gaussian noise.
    Gaussian,
}

impl Bound {
    /// The ε that the mistakes rule out anything below, for `delta`, with `confidence`; 0 where they rule out none.
    ///
    /// The shares of both kinds of mistake are taken at the high ends of Clopper-Pearson intervals, which both hold with
    /// this confidence together. Without runs of a kind there is no bound but 0.
    ///
    /// # Errors
    ///
    /// Where `delta` is no probability below 1 (for [`Self::Gaussian`] above 0, too), or `confidence` is not between 0
    /// and 1.
    ///
    /// # Panics
    ///
    /// If there are more mistakes than runs.
    pub fn epsilon(self, mistakes: Mistakes, delta: f64, confidence: f64) -> Result<f64, PrivacyError> {
        check_confidence(confidence)?;
        // A two-sided interval spends half of what may go wrong on each end, and only the high ends are used.
        let high = |p: Proportion| clopper_pearson(p.successes, p.trials, confidence).high;
        let (positives, negatives) = (high(mistakes.false_positives), high(mistakes.false_negatives));
        match self {
            Self::Rates => rates(positives, negatives, delta),
            Self::Gaussian => gaussian(positives, negatives, delta),
        }
    }
}

/// A confidence that is a probability, neither 0 nor 1.
fn check_confidence(confidence: f64) -> Result<(), PrivacyError> {
    if confidence > 0.0 && confidence < 1.0 { Ok(()) } else { Err(PrivacyError::Level(confidence)) }
}

/// A δ that is a probability below 1. An audit, unlike an accountant, can do with none.
fn check_slack(delta: f64) -> Result<(), PrivacyError> {
    if (0.0..1.0).contains(&delta) { Ok(()) } else { Err(PrivacyError::Slack(delta)) }
}

#[cfg(test)]
mod tests;
