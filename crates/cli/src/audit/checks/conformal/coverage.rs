use crucible_measure::limits::Limit;
use crucible_report::{Bar, BarChart, Chart, Figure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Strangeness, sets, tenth};
use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unmeasured, finding::skip},
    findings::share,
};

/// The share of examples whose class is in the set that split conformal prediction answers with (Vovk et al., 2005).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConformalCoverage {
    /// The least share; 1 − α is promised on average, and half of the time a little less comes out.
    #[schemars(range(min = 0.0, max = 1.0))]
    min: f64,
    /// How often sets may miss the class.
    #[serde(default = "tenth")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    alpha: f64,
    /// How strange a class is for an example.
    #[serde(default)]
    score: Strangeness,
}

impl Check for ConformalCoverage {
    const CONCERN: Concern = Concern::Calibration;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        format!("Coverage of conformal sets at α = {}", self.alpha)
    }

    fn limit(&self) -> Limit {
        Limit::Min(self.min)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let found = sets(subject, self.alpha, self.score)?;
        let size = found.sets.mean_size().unwrap_or(f64::NAN);
        let meaning = |share: f64| {
            format!(
                "Sets of {size:.2} classes on average hold the true one in {:.2}% of {} examples.",
                100.0 * share,
                found.rest.len()
            )
        };
        let by_class = found.sets.coverage_by_class(&found.rest.labels);
        let bars = subject.classes()?.iter().zip(&by_class);
        let figure = Figure {
            title: "Coverage by class".to_owned(),
            caption: "What is promised is the mean over all examples; a class may be covered less."
                .to_owned(),
            chart: Chart::Bar(BarChart {
                value_label: "coverage".to_owned(),
                bars: bars
                    .map(|(class, covered)| Bar { label: class.clone(), value: share(covered) })
                    .collect(),
            }),
        };
        let coverage = Finding::share(found.sets.coverage(&found.rest.labels), meaning, found.method.clone());
        coverage.map_or_else(|| skip("there are no examples"), |coverage| Ok(coverage.detail(figure)))
    }
}
