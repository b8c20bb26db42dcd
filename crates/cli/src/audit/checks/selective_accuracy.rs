use crucible_measure::{limits::Limit, selective::RiskCoverage};
use crucible_report::{Chart, Figure, LineChart, Series};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::{Check, Concern, Cost, Finding, Needs, Subject, Unmeasured, finding::skip};

/// Points of a curve.
const POINTS: usize = 100;

/// Accuracy on the share of unseen examples that the network is surest of, by the probability of its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SelectiveAccuracy {
    /// The least accuracy.
    #[schemars(range(min = 0.0, max = 1.0))]
    min: f64,
    /// The share that is answered.
    #[schemars(range(min = 0.0, max = 1.0))]
    coverage: f64,
}

impl Check for SelectiveAccuracy {
    const CONCERN: Concern = Concern::Calibration;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        format!("Accuracy on the surest {}%", 100.0 * self.coverage)
    }

    fn limit(&self) -> Limit {
        Limit::Min(self.min)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let answers = subject.answers()?;
        let sure: Vec<f64> =
            answers.rows().iter().map(|row| row.iter().copied().fold(0.0, f64::max)).collect();
        let Some(curve) = RiskCoverage::new(&sure, &answers.right()) else {
            return skip("there are no examples, or the network's answers are not finite");
        };
        let point = curve.at_coverage(self.coverage);
        let meaning = |share: f64| {
            format!(
                "Of the {} examples that it is surest of, at least {:.1}% sure each, the network gets {:.2}% right.",
                point.accuracy.trials,
                100.0 * point.threshold,
                100.0 * share
            )
        };
        let method = "Examples by the probability of the answer; Wilson's interval, which takes the threshold as given.";
        let found = Finding::share(point.accuracy, meaning, method);
        let step = curve.points().len().div_ceil(POINTS);
        let line = curve
            .points()
            .iter()
            .rev()
            .step_by(step)
            .filter_map(|point| Some([point.coverage.estimate()?, 1.0 - point.accuracy.estimate()?]));
        let figure = Figure {
            title: "Errors over the share that is answered".to_owned(),
            caption:
                "What remains wrong when the network leaves the examples that it is least sure of to others."
                    .to_owned(),
            chart: Chart::Line(LineChart {
                x_label: "share answered".to_owned(),
                y_label: "share of the answers that is wrong".to_owned(),
                series: vec![Series::new("network", line)],
                ..LineChart::default()
            }),
        };
        found.map_or_else(|| skip("no example is answered"), |found| Ok(found.detail(figure)))
    }
}
