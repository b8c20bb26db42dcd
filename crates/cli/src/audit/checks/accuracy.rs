use crucible_measure::limits::Limit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::{Check, Concern, Cost, Finding, Needs, Subject, Unmeasured, finding::skip};

/// The share of unseen examples that the network gets right, with Wilson's interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accuracy {
    /// The least share.
    #[schemars(range(min = 0.0, max = 1.0))]
    min: f64,
}

impl Check for Accuracy {
    const CONCERN: Concern = Concern::Performance;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "Accuracy".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Min(self.min)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let (split, examples) = subject.held_out()?;
        let meaning = |share: f64| {
            format!("Of {} {split} examples the network gets {:.2}% right.", examples.len(), 100.0 * share)
        };
        let method = "The most probable class of each example against its label; Wilson's interval.";
        let found = Finding::share(subject.answers()?.accuracy(), meaning, method);
        found.map_or_else(|| skip("there are no examples"), Ok)
    }
}
