use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attack, Evidence, Needs,
    normal::{Variance, deviation_of_all, of_example},
};
use crate::PrivacyError;

/// The likelihood ratio attack, offline: how unlikely the confidence is for a model that was not trained on the example,
/// whose distribution is taken to be normal about the median. It needs no shadow model that was.
///
/// N. Carlini et al.: Membership inference attacks from first principles, 2022 (arXiv:2112.03570).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LiraOffline {
    /// Whose variance.
    pub variance: Variance,
    /// What counts as unlikely.
    pub tails: Tails,
}

/// What counts as unlikely for a model without the example.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tails {
    /// A high confidence, as in the paper. The score is how many standard deviations it is too high: the paper's
    /// probability rises with it, but is 1 in `f64` beyond nine.
    #[default]
    High,
    /// Also a low one, as in the authors' code. The score is the logarithm of the density, negated.
    Both,
}

impl Attack for LiraOffline {
    fn needs(&self) -> Needs {
        Needs { inside: 0, outside: self.variance.needs() }
    }

    fn run(&self, evidence: Evidence<'_>) -> Result<Vec<f64>, PrivacyError> {
        let fixed = match self.variance {
            Variance::Fixed => Some(deviation_of_all(evidence, false)?),
            Variance::Each => None,
        };
        let score = |(example, confidence): (usize, &f64)| {
            let without = of_example(evidence, example, false, fixed)?;
            Ok(match self.tails {
                Tails::High => without.place(*confidence),
                Tails::Both => -without.log_density(*confidence),
            })
        };
        evidence.target.iter().enumerate().map(score).collect()
    }
}
