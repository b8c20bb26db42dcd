use std::marker::PhantomData;

use crucible_measure::limits::Limit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Metric,
    groups::{Grouped, named, thirty},
};
use crate::audit::{
    Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip, several::Several,
};

/// How far the rates of a metric lie apart between groups: the lowest over the highest; 1 is fair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "M: Metric")]
pub(crate) struct Ratio<M> {
    /// The least ratio.
    #[schemars(range(min = 0.0, max = 1.0))]
    min: f64,
    /// The column of the group, or several columns whose intersections are the groups.
    group: Several<String>,
    /// The class that is good to get; of two classes the second by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    favourable: Option<String>,
    /// Examples below which a group says nothing and is left out.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1))]
    least: u64,
    #[serde(skip)]
    metric: PhantomData<M>,
}

impl<M: Metric> Check for Ratio<M> {
    const CONCERN: Concern = Concern::Fairness;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        format!("{} by {}, ratio", M::TITLE, named(&self.group))
    }

    fn limit(&self) -> Limit {
        Limit::Min(self.min)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let grouped = Grouped::new(subject, &self.group, self.favourable.as_deref(), self.least)?;
        let gap = grouped.gap::<M>()?;
        let Some(estimate) = gap.ratio else {
            return skip("the rate is 0 in every group, and 0/0 is no ratio");
        };
        let finding = Finding::new(estimate, Unit::Number, grouped.meaning::<M>(), grouped.method());
        Ok(grouped.details::<M>(finding))
    }
}
