use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, Evidence, Needs, confidence::log_probability};
use crate::PrivacyError;

/// How much lower the loss is than the mean loss of the shadow models that were not trained on the example: what is easy
/// for all is no member.
///
/// L. Watson, C. Guo, G. Cormode, A. Sablayrolles: On the importance of difficulty calibration in membership inference
/// attacks, 2022 (arXiv:2111.08440).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CalibratedLoss {}

impl Attack for CalibratedLoss {
    fn needs(&self) -> Needs {
        Needs { inside: 0, outside: 1 }
    }

    fn run(&self, evidence: Evidence<'_>) -> Result<Vec<f64>, PrivacyError> {
        let score = |(example, confidence): (usize, &f64)| {
            let (count, sum) = evidence
                .shadows_of(example, false)
                .fold((0.0, 0.0), |(count, sum), shadow| (count + 1.0, sum + log_probability(shadow)));
            log_probability(*confidence) - sum / count
        };
        Ok(evidence.target.iter().enumerate().map(score).collect())
    }
}
