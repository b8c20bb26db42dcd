//! A check whose number was held against its limit.

use crucible_measure::limits::{Limit, Verdict};
use crucible_report::{Bound, Outcome, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Concern, Finding, Unit};

/// What became of a check.
pub(crate) struct Judged {
    /// Its name, such as `accuracy`.
    pub(crate) check: String,
    pub(crate) title: String,
    pub(crate) about: &'static str,
    pub(crate) concern: Concern,
    pub(crate) settings: serde_json::Value,
    pub(crate) limit: Limit,
    pub(crate) outcome: Outcome,
    pub(crate) finding: Option<Finding>,
    /// Why there is no number.
    pub(crate) reason: Option<String>,
    pub(crate) seconds: f64,
    /// Whether an earlier audit measured it.
    pub(crate) kept: bool,
}

/// One line of `crucible audit --json`, and of `audit.json`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Row {
    /// The check's key in the recipe; from the second of a key on with its number, as `equalized_odds_difference-2`.
    pub(crate) check: String,
    /// What was measured, for people.
    pub(crate) title: String,
    /// What it is about.
    pub(crate) concern: Concern,
    /// The number; null where there is none.
    pub(crate) value: Option<f64>,
    /// Its interval at 95%, `[low, high]`; an end that is null is infinite.
    pub(crate) interval: Option<[Option<f64>; 2]>,
    /// Whether the number is a share, from 0 to 1, or a plain number.
    pub(crate) unit: Option<Unit>,
    /// What it is held against.
    pub(crate) limit: RowLimit,
    /// What became of it: pass, fail, undecided or skipped.
    pub(crate) verdict: RowVerdict,
    /// Why there is no number; null where there is one.
    pub(crate) reason: Option<String>,
    /// What the number means, in a sentence.
    pub(crate) meaning: Option<String>,
    /// How it was made.
    pub(crate) method: Option<String>,
    /// The check's settings, with the limit.
    pub(crate) settings: serde_json::Value,
    /// What measuring took.
    pub(crate) seconds: f64,
    /// Whether an earlier audit measured it, and nothing changed since.
    pub(crate) kept: bool,
}

/// A limit: `{"min": 0.97}` or `{"max": 0.02}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RowLimit {
    /// The number must not be lower.
    Min(f64),
    /// The number must not be higher.
    Max(f64),
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RowVerdict {
    /// The whole interval keeps the limit.
    Pass,
    /// The whole interval breaks it.
    Fail,
    /// The interval holds the limit, so that there are too few examples to say; or the check came to no end.
    Undecided,
    /// There was nothing to measure.
    Skipped,
}

impl From<Outcome> for RowVerdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Pass,
            Outcome::Fail => Self::Fail,
            Outcome::Undecided => Self::Undecided,
            Outcome::Skipped => Self::Skipped,
        }
    }
}

impl Judged {
    fn new(asked: &Asked, outcome: Outcome, seconds: f64) -> Self {
        Self {
            check: asked.name.clone(),
            title: asked.check.title(),
            about: asked.kind.about,
            concern: asked.kind.concern,
            settings: asked.settings.clone(),
            limit: asked.check.limit(),
            outcome,
            finding: None,
            reason: None,
            seconds,
            kept: false,
        }
    }

    /// Holds a number against the limit.
    pub(crate) fn found(asked: &Asked, finding: Finding, seconds: f64) -> Self {
        let outcome = match asked.check.limit().judge(finding.estimate()) {
            Verdict::Pass => Outcome::Pass,
            Verdict::Fail => Outcome::Fail,
            Verdict::Undecided => Outcome::Undecided,
        };
        Self { finding: Some(finding), ..Self::new(asked, outcome, seconds) }
    }

    /// There was nothing to measure.
    pub(crate) fn skipped(asked: &Asked, why: impl Into<String>, seconds: f64) -> Self {
        Self { reason: Some(why.into()), ..Self::new(asked, Outcome::Skipped, seconds) }
    }

    /// It failed, or was stopped.
    pub(crate) fn failed(asked: &Asked, why: impl Into<String>, seconds: f64) -> Self {
        Self { reason: Some(why.into()), ..Self::new(asked, Outcome::Undecided, seconds) }
    }

    /// The number as reports show it.
    pub(crate) fn shown(&self) -> Value {
        self.finding.as_ref().map_or(Value::Missing, Finding::shown)
    }

    /// The limit as reports show it.
    pub(crate) fn limit_shown(&self) -> crucible_report::Limit {
        let (bound, value) = match self.limit {
            Limit::Min(value) => (Bound::AtLeast, value),
            Limit::Max(value) => (Bound::AtMost, value),
        };
        let unit = self.finding.as_ref().map_or(Unit::Number, |finding| finding.unit);
        // No more digits than it was given with.
        let value = match unit {
            Unit::Share => Value::percent(value, decimals(100.0 * value)),
            Unit::Number => Value::number(value, decimals(value)),
        };
        crucible_report::Limit { bound, value }
    }

    /// A sentence on what came out.
    pub(crate) fn sentence(&self) -> String {
        match (&self.finding, &self.reason) {
            (Some(finding), _) if self.outcome == Outcome::Undecided => {
                format!("{} There are too few examples to say whether that keeps the limit.", finding.meaning)
            }
            (Some(finding), _) => finding.meaning.clone(),
            (None, Some(reason)) => reason.clone(),
            (None, None) => String::new(),
        }
    }

    pub(crate) fn row(&self) -> Row {
        let estimate = self.finding.as_ref().map(Finding::estimate);
        let finite = |value: f64| value.is_finite().then_some(value);
        Row {
            check: self.check.clone(),
            title: self.title.clone(),
            concern: self.concern,
            value: estimate.and_then(|estimate| finite(estimate.value)),
            interval: estimate
                .and_then(|estimate| estimate.interval)
                .map(|interval| [interval.low, interval.high].map(finite)),
            unit: self.finding.as_ref().map(|finding| finding.unit),
            limit: match self.limit {
                Limit::Min(value) => RowLimit::Min(value),
                Limit::Max(value) => RowLimit::Max(value),
            },
            verdict: self.outcome.into(),
            reason: self.reason.clone(),
            meaning: self.finding.as_ref().map(|finding| finding.meaning.clone()),
            method: self.finding.as_ref().map(|finding| finding.method.clone()),
            settings: self.settings.clone(),
            seconds: self.seconds,
            kept: self.kept,
        }
    }
}

/// What became of all together: it passes only where every check does.
pub(crate) fn overall(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    outcomes.fold(Outcome::Pass, |whole, outcome| match (whole, outcome) {
        (Outcome::Fail, _) | (_, Outcome::Fail) => Outcome::Fail,
        (Outcome::Pass, Outcome::Pass) => Outcome::Pass,
        _ => Outcome::Undecided,
    })
}

/// Decimals that a number was given with, at most nine.
fn decimals(value: f64) -> u8 {
    let whole = |digits: &u8| {
        let scaled = value * 10f64.powi(i32::from(*digits));
        (scaled - scaled.round()).abs() <= 1e-12 * scaled.abs().max(1.0)
    };
    (0..9).find(whole).unwrap_or(9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_measured_never_passes() {
        use Outcome::{Fail, Pass, Skipped, Undecided};
        let of = |outcomes: &[Outcome]| overall(outcomes.iter().copied());
        assert_eq!(of(&[Pass, Pass]), Pass);
        assert_eq!(of(&[Pass, Skipped]), Undecided);
        assert_eq!(of(&[Undecided, Pass]), Undecided);
        assert_eq!(of(&[Skipped, Fail, Undecided]), Fail);
    }

    #[test]
    fn limits_are_shown_with_the_digits_they_were_given_with() {
        assert_eq!([0.97, 97.0, 0.002, 99.9, 0.3, 1e-9, 1.0 / 3.0].map(decimals), [2, 0, 3, 1, 1, 9, 9]);
    }
}
