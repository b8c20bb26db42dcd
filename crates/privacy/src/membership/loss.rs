use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, Evidence, Needs, confidence::log_probability};
use crate::PrivacyError;

/// The loss of the model under attack, negated: members were fitted. The score is the logarithm of the true class's
/// probability.
///
/// It needs no shadow model, and mistakes what is easy for what is known: at few false positives it finds hardly any
/// member.
///
/// S. Yeom, I. Giacomelli, M. Fredrikson, S. Jha: Privacy risk in machine learning: analyzing the connection to
/// overfitting, 2018 (arXiv:1709.01604).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Loss {}

impl Attack for Loss {
    fn needs(&self) -> Needs {
        Needs { inside: 0, outside: 0 }
    }

    fn run(&self, evidence: Evidence<'_>) -> Result<Vec<f64>, PrivacyError> {
        Ok(evidence.target.iter().copied().map(log_probability).collect())
    }
}
