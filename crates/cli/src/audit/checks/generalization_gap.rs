use crucible_measure::{fairness::rate_difference, limits::Limit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip},
    findings::CONFIDENCE,
};

/// Accuracy on the training examples less that on unseen ones, with Newcombe's interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GeneralizationGap {
    /// The largest gap: 0.01 is one point of accuracy.
    #[schemars(range(min = -1.0, max = 1.0))]
    max: f64,
}

impl Check for GeneralizationGap {
    const CONCERN: Concern = Concern::Generalization;
    const NEEDS: Needs = Needs::Run;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "Generalization gap".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let (split, _) = subject.held_out()?;
        let (train, test) =
            (subject.answers_on(&subject.data.train)?.accuracy(), subject.answers()?.accuracy());
        let (Some(gap), Some(seen), Some(unseen)) =
            (rate_difference(train, test, CONFIDENCE), train.estimate(), test.estimate())
        else {
            return skip("there are no examples");
        };
        let meaning = format!(
            "The network gets {:.2}% of the training examples right, and {:.2}% of the {split} examples.",
            100.0 * seen,
            100.0 * unseen
        );
        let method = "Accuracy on all training examples less that on unseen ones; Newcombe's interval of a difference of shares.";
        Ok(Finding::new(gap, Unit::Share, meaning, method))
    }
}
