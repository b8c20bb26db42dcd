use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, Evidence, Needs, confidence::log_probability};
use crate::{PrivacyError, log_sum::log_sum};

/// The robust attack: by how much the model gives the example a higher probability than models in general do, and of how
/// many other examples that can be said γ times less. The score is that share.
///
/// What models in general give is taken from those that were not trained on the example (offline), with a guess at what
/// being trained on it adds: ((1 + a) · mean + 1 − a)/2.
///
/// The others are the population, or the examples themselves where there is none. They change no order but by ties: where
/// they are few, many examples share the highest scores, and what happens at very few false positives cannot be told.
///
/// S. Zarifzadeh, P. Liu, R. Shokri: Low-cost high-power membership inference attacks, 2024 (arXiv:2312.03262); the
/// defaults are those of its code (ML Privacy Meter).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rmia {
    /// How many times γ as large the example's gain must be as another's to count.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub gamma: f64,
    /// How much a, from 0 to 1, the probability under a model trained on an example is like that under one that was not:
    /// p with it is taken to be a · p without + 1 − a.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub a: f64,
}

impl Default for Rmia {
    fn default() -> Self {
        Self { gamma: 1.0, a: 0.3 }
    }
}

impl Rmia {
    /// The logarithm of the ratio of the model's probability to that of models in general, whose confidences without the
    /// example are `shadows`.
    fn log_gain(&self, confidence: f64, shadows: impl Iterator<Item = f64>) -> f64 {
        let shadows: Vec<f64> = shadows.map(log_probability).collect();
        let log_mean = log_sum(&shadows) - (shadows.len() as f64).ln();
        let general = [(0.5 * (1.0 + self.a)).ln() + log_mean, (0.5 * (1.0 - self.a)).ln()];
        log_probability(confidence) - log_sum(&general)
    }
}

impl Attack for Rmia {
    fn needs(&self) -> Needs {
        Needs { inside: 0, outside: 1 }
    }

    fn check(&self) -> Result<(), PrivacyError> {
        let wrong = |name, value, needed| Err(PrivacyError::Setting { name, value, needed });
        if !(self.gamma > 0.0 && self.gamma.is_finite()) {
            return wrong("gamma", self.gamma, "a finite number above 0");
        }
        if !(0.0..=1.0).contains(&self.a) {
            return wrong("a", self.a, "between 0 and 1");
        }
        Ok(())
    }

    fn run(&self, evidence: Evidence<'_>) -> Result<Vec<f64>, PrivacyError> {
        let own = evidence.target.iter().enumerate();
        let own: Vec<f64> = own
            .map(|(example, confidence)| self.log_gain(*confidence, evidence.shadows_of(example, false)))
            .collect();
        let mut others = match evidence.population {
            None => own.clone(),
            Some(population) => {
                let count = population.target.len();
                let shadows = |other| population.shadows.iter().skip(other).step_by(count).copied();
                let gains = population.target.iter().enumerate();
                gains.map(|(other, confidence)| self.log_gain(*confidence, shadows(other))).collect()
            }
        };
        others.sort_by(f64::total_cmp);
        let log_gamma = self.gamma.ln();
        let score = |gain: &f64| {
            let less = others.partition_point(|other| other + log_gamma < *gain);
            less as f64 / others.len() as f64
        };
        Ok(own.iter().map(score).collect())
    }
}
