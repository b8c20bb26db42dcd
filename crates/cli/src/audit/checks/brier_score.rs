use crucible_measure::{Estimate, calibration, limits::Limit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip},
    findings::CONFIDENCE,
};

/// The Brier score: the squared distance of an example's probabilities from the truth, summed over classes and averaged over
/// examples; from 0 to 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrierScore {
    /// The largest score.
    #[schemars(range(min = 0.0, max = 2.0))]
    max: f64,
}

impl Check for BrierScore {
    const CONCERN: Concern = Concern::Calibration;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "Brier score".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let answers = subject.answers()?;
        let Some(score) = calibration::brier_score(answers.rows(), &answers.labels, CONFIDENCE) else {
            return skip("there are no examples");
        };
        let estimate = Estimate { value: score.value, interval: score.interval };
        let meaning = format!(
            "Probabilities lie {:.4} from the truth in the mean square; a sure and right network has 0.",
            score.value
        );
        Ok(Finding::new(
            estimate,
            Unit::Number,
            meaning,
            "Summed over classes, averaged over examples; normal interval of the mean.",
        ))
    }
}
