use crucible_data::inspect;
use crucible_measure::{Proportion, limits::Limit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::{Check, Concern, Cost, Finding, Needs, Subject, Unmeasured, finding::skip};

/// The share of unseen examples whose input stands among the training examples, value by value: on them a network proves
/// nothing but its memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Duplicates {
    /// The largest share.
    #[schemars(range(min = 0.0, max = 1.0))]
    max: f64,
}

impl Check for Duplicates {
    const CONCERN: Concern = Concern::Generalization;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "Test examples among the training examples".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let (split, examples) = subject.held_out()?;
        let leaks = inspect(&subject.data).leakage;
        let leak = leaks.iter().find(|leak| leak.first == "train" && leak.second == split);
        let (copies, conflicts) = leak.map_or((0, 0), |leak| (leak.examples, leak.conflicting));
        let share = Proportion { successes: copies as u64, trials: examples.len() as u64 };
        let meaning = |_| match copies {
            0 => format!("No {split} example stands among the training examples."),
            _ => format!(
                "{copies} of {} {split} examples stand among the training examples, {conflicts} of them with another label.",
                examples.len()
            ),
        };
        let method = "Inputs compared value by value; Wilson's interval, as of a sample of examples to come.";
        let found = Finding::share(share, meaning, method);
        found.map_or_else(|| skip("there are no examples"), Ok)
    }
}
