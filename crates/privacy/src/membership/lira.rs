use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attack, Evidence, Needs,
    normal::{Variance, deviation_of_all, of_example},
};
use crate::PrivacyError;

/// The likelihood ratio attack, online: the logarithm of how much likelier the confidence is for a model that was trained
/// on the example than for one that was not, both distributions taken to be normal.
///
/// As in the authors' code, a distribution's centre is the median, and with a fixed variance both have that of the models
/// that were trained on their examples. Each example needs shadow models on both sides.
///
/// N. Carlini et al.: Membership inference attacks from first principles, 2022 (arXiv:2112.03570).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lira {
    /// Whose variance.
    pub variance: Variance,
}

impl Attack for Lira {
    fn needs(&self) -> Needs {
        Needs { inside: self.variance.needs(), outside: self.variance.needs() }
    }

    fn run(&self, evidence: Evidence<'_>) -> Result<Vec<f64>, PrivacyError> {
        let fixed = match self.variance {
            Variance::Fixed => Some(deviation_of_all(evidence, true)?),
            Variance::Each => None,
        };
        let score = |(example, confidence): (usize, &f64)| {
            let [with, without] = [true, false].map(|member| of_example(evidence, example, member, fixed));
            Ok(with?.log_density(*confidence) - without?.log_density(*confidence))
        };
        evidence.target.iter().enumerate().map(score).collect()
    }
}
