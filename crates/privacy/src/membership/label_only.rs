use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, Evidence, Needs};
use crate::PrivacyError;

/// The gap attack: what the model answers rightly is a member. The score is 1 where it does and 0 where it does not.
///
/// It needs no more of an answer than its label, and no shadow model. Its area under the curve is 0.5 and half the gap
/// between the accuracies on members and on others; no threshold finds a few members with hardly a false alarm.
///
/// S. Yeom, I. Giacomelli, M. Fredrikson, S. Jha: Privacy risk in machine learning: analyzing the connection to
/// overfitting, 2018 (arXiv:1709.01604); named so by C. Choquette-Choo, F. Tramèr, N. Carlini, N. Papernot: Label-only
/// membership inference attacks, 2021 (arXiv:2007.14321).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LabelOnly {}

impl Attack for LabelOnly {
    fn needs(&self) -> Needs {
        Needs { inside: 0, outside: 0 }
    }

    fn run(&self, evidence: Evidence<'_>) -> Result<Vec<f64>, PrivacyError> {
        Ok(evidence.right.iter().map(|right| f64::from(u8::from(*right))).collect())
    }
}
