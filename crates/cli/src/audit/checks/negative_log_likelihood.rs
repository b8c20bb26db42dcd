use crucible_measure::{Estimate, Rows, calibration, limits::Limit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip},
    findings::CONFIDENCE,
};

/// The mean negative logarithm of the probability of the true class, in nats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NegativeLogLikelihood {
    /// The largest mean, in nats.
    #[schemars(range(min = 0.0))]
    max: f64,
}

impl Check for NegativeLogLikelihood {
    const CONCERN: Concern = Concern::Calibration;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "Negative log-likelihood".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let answers = subject.answers()?;
        let logits = answers.logits();
        let rows = Rows::new(&logits, answers.rows().width());
        let mean = calibration::negative_log_likelihood_of_logits(rows, &answers.labels, CONFIDENCE);
        let Some(mean) = mean else {
            return skip("there are no examples");
        };
        let estimate = Estimate { value: mean.value, interval: mean.interval };
        let meaning = format!(
            "The true class has a probability of {:.1}% in the geometric mean.",
            100.0 * (-mean.value).exp()
        );
        Ok(Finding::new(
            estimate,
            Unit::Number,
            meaning,
            "In nats, over unseen examples; normal interval of the mean.",
        ))
    }
}
