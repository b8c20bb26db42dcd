use crucible_measure::{Estimate, limits::Limit, mean_interval};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Strangeness, sets, tenth};
use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip},
    findings::CONFIDENCE,
};

/// The mean number of classes in a set of split conformal prediction: how little the network knows, in classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConformalSetSize {
    /// The largest mean.
    #[schemars(range(min = 0.0))]
    max: f64,
    /// How often sets may miss the class.
    #[serde(default = "tenth")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    alpha: f64,
    /// How strange a class is for an example.
    #[serde(default)]
    score: Strangeness,
}

impl Check for ConformalSetSize {
    const CONCERN: Concern = Concern::Calibration;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        format!("Classes in a conformal set at α = {}", self.alpha)
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let found = sets(subject, self.alpha, self.score)?;
        let sizes: Vec<f64> = (0..found.sets.len()).map(|i| found.sets.set(i).len() as f64).collect();
        let Some((value, interval)) = mean_interval(&sizes, CONFIDENCE) else {
            return skip("there are no examples");
        };
        let meaning = format!(
            "To hold the true class in {:.0}% of all cases, the network must name {value:.2} classes on average.",
            100.0 * (1.0 - self.alpha)
        );
        Ok(Finding::new(Estimate { value, interval }, Unit::Number, meaning, found.method))
    }
}
