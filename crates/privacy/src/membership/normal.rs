//! Normal distributions of shadow models' confidences, fitted as the likelihood ratio attack's authors do.

use crucible_measure::median;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::PrivacyError;

/// Whose variance the confidences in an example are taken to have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Variance {
    /// The same for all examples: better below some 64 shadow models.
    #[default]
    Fixed,
    /// The example's own.
    Each,
}

impl Variance {
    /// The shadow models that it takes for each example.
    pub(super) fn needs(self) -> usize {
        match self {
            Self::Fixed => 1,
            Self::Each => 2,
        }
    }
}

/// A normal distribution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Normal {
    pub(super) centre: f64,
    pub(super) deviation: f64,
}

impl Normal {
    /// How many deviations `value` lies above the centre.
    pub(super) fn place(self, value: f64) -> f64 {
        (value - self.centre) / self.deviation
    }

    pub(super) fn log_density(self, value: f64) -> f64 {
        -0.5 * self.place(value).powi(2) - self.deviation.ln() - 0.5 * (2.0 * std::f64::consts::PI).ln()
    }
}

/// The standard deviation of all confidences in examples of the models that were, or were not, trained on them.
///
/// That of the confidences themselves, not of their distances from each example's centre: the one scales every example's
/// score alike, and so changes no order.
pub(super) fn deviation_of_all(evidence: Evidence<'_>, member: bool) -> Result<f64, PrivacyError> {
    let examples = 0..evidence.target.len();
    let all: Vec<f64> = examples.flat_map(|example| evidence.shadows_of(example, member)).collect();
    match deviation(&all) {
        spread if spread > 0.0 || all.is_empty() => Ok(spread),
        _ => Err(PrivacyError::AllTheSame),
    }
}

/// The distribution of the confidences in an example of the models that were, or were not, trained on it: about their
/// median, with a `fixed` deviation or their own.
pub(super) fn of_example(
    evidence: Evidence<'_>,
    example: usize,
    member: bool,
    fixed: Option<f64>,
) -> Result<Normal, PrivacyError> {
    let scores: Vec<f64> = evidence.shadows_of(example, member).collect();
    let deviation = fixed.unwrap_or_else(|| deviation(&scores));
    match median(&scores) {
        Some(centre) if deviation > 0.0 => Ok(Normal { centre, deviation }),
        _ => Err(PrivacyError::TheSame { example, member }),
    }
}

/// The standard deviation, with the divisor n.
fn deviation(values: &[f64]) -> f64 {
    // Compared exactly: the mean of equal values may round away from them and leave a spurious tiny spread.
    if values.iter().all(|value| *value == values[0]) {
        return 0.0;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()
}
