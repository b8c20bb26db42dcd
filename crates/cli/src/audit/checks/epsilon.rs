use crucible_measure::limits::Limit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip},
    findings::Guarantee,
};

/// ε of the guarantee that the run was trained with, from its ledger: an upper bound, not an estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Epsilon {
    /// The largest ε, at the δ of the recipe's `train.privacy`.
    #[schemars(range(min = 0.0))]
    max: f64,
}

impl Check for Epsilon {
    const CONCERN: Concern = Concern::Privacy;
    const NEEDS: Needs = Needs::Run;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "ε of differential privacy".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let Some(guarantee) = Guarantee::read(&subject.folder, subject.recipe()?, &subject.data)? else {
            return skip("the run was trained without a guarantee; `train.privacy` in a recipe gives one");
        };
        if !guarantee.is_private() {
            return skip(
                "the run draws from the recipe's seed, which anyone can repeat, and so promises nothing",
            );
        }
        let method = "Privacy loss distributions of the steps in the run's ledger; the upper bound is exact.";
        Ok(Finding::exact(guarantee.epsilon(), Unit::Number, guarantee.sentence(), method))
    }
}
