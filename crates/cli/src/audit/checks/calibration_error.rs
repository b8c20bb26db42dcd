use crucible_measure::{
    Estimate,
    calibration::{Binning, Forecasts, Temperature},
    limits::Limit,
};
use crucible_report::{Block, Chart, Fact, Figure, LineChart, Series, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::{
    Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, answers::Answers, finding::skip,
    subject::BOOTSTRAP,
};

/// The expected calibration error of the most probable class: the mean distance of probability and share right, in bins
/// (Guo et al., 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalibrationError {
    /// The largest error, in probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    max: f64,
    /// The number of bins.
    #[serde(default = "fifteen")]
    #[schemars(range(min = 1, max = 1000))]
    bins: usize,
    /// What bins have in common.
    #[serde(default)]
    binning: Equal,
}

/// What bins have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Equal {
    /// All are equally wide.
    #[default]
    Width,
    /// All have equally many examples.
    Mass,
}

fn fifteen() -> usize {
    15
}

impl CalibrationError {
    fn binning(&self) -> Binning {
        match self.binning {
            Equal::Width => Binning::EqualWidth(self.bins),
            Equal::Mass => Binning::EqualMass(self.bins),
        }
    }
}

impl Check for CalibrationError {
    const CONCERN: Concern = Concern::Calibration;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "Expected calibration error".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let answers = subject.answers()?;
        let forecasts = forecasts(&answers)?;
        let binning = self.binning();
        let Some(value) = forecasts.expected_calibration_error(binning) else {
            return skip("there are no examples");
        };
        let mut rng = subject.rng("ece");
        let interval = forecasts.expected_calibration_error_interval(binning, BOOTSTRAP, &mut rng);
        let (sure, right) = (mean(forecasts.probabilities()), answers.accuracy().estimate().unwrap_or(0.0));
        let meaning = format!(
            "The network is {:.1}% sure on average and right in {:.1}%: it is {} by {:.1} points.",
            100.0 * sure,
            100.0 * right,
            if sure > right { "too sure" } else { "not sure enough" },
            100.0 * (sure - right).abs()
        );
        let method = format!(
            "{} bins of equal {}; basic bootstrap of 1,000 resamples, down to 0 where chance alone explains the error.",
            self.bins,
            match self.binning {
                Equal::Width => "width",
                Equal::Mass => "mass",
            }
        );
        let found = Finding::new(Estimate { value, interval }, Unit::Share, meaning, method);
        let found = found.detail(diagram(&forecasts, binning));
        Ok(match repaired(subject, binning)? {
            Some(facts) => found.detail(Block::Facts { facts }),
            None => found,
        })
    }
}

/// The probability of each answer, and whether it was right.
fn forecasts(answers: &Answers) -> Result<Forecasts, Unmeasured> {
    match Forecasts::top_label(answers.rows(), &answers.labels) {
        Some(forecasts) => Ok(forecasts),
        None => skip("the network's answers are no probabilities"),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// What temperature scaling would make of it.
fn repaired(subject: &Subject, binning: Binning) -> Result<Option<Vec<Fact>>, Unmeasured> {
    let (fit, rest, place) = subject.calibration()?;
    let logits = (fit.logits(), rest.logits());
    let rows = |values| crucible_measure::Rows::new(values, fit.rows().width());
    let Ok(temperature) = Temperature::fit(rows(&logits.0), &fit.labels) else { return Ok(None) };
    let scaled = Answers::new(temperature.apply(rows(&logits.1)), fit.rows().width(), rest.labels.clone());
    let error = |answers: &Answers| -> Result<Value, Unmeasured> {
        let error = forecasts(answers)?.expected_calibration_error(binning);
        Ok(error.map_or(Value::Missing, |error| Value::percent(error, 2)))
    };
    Ok(Some(vec![
        Fact::new("Temperature that repairs it", Value::number(temperature.temperature, 3)),
        Fact::new("Fitted on", Value::text(place)),
        Fact::new("Error without, on the rest", error(&rest)?),
        Fact::new("Error with it, on the rest", error(&scaled)?),
    ]))
}

/// Share right over probability.
fn diagram(forecasts: &Forecasts, binning: Binning) -> Figure {
    let bins = forecasts.bins(binning);
    let points = bins.iter().filter_map(|bin| Some([bin.confidence?, bin.happened.estimate()?]));
    Figure {
        title: "Reliability diagram".to_owned(),
        caption: "Below the diagonal the network is surer than it should be.".to_owned(),
        chart: Chart::Line(LineChart {
            x_label: "probability of the answer".to_owned(),
            y_label: "share that is right".to_owned(),
            series: vec![
                Series::new("network", points),
                Series::new("perfectly calibrated", [[0.0, 0.0], [1.0, 1.0]]),
            ],
            ..LineChart::default()
        }),
    }
}
