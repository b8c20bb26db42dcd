//! What a check finds.

use crucible_measure::{Estimate, Interval, Proportion};
use crucible_report::{Block, Number, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{error::CliError, findings::CONFIDENCE};

/// A measured number, and what it means.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Finding {
    value: Number,
    /// At 95%; none where the examples tell of no spread.
    interval: Option<[Number; 2]>,
    pub(crate) unit: Unit,
    /// What it means, in a sentence.
    pub(crate) meaning: String,
    /// How it was made, so that it can be made again.
    pub(crate) method: String,
    /// Figures, tables and remarks.
    pub(crate) details: Vec<Block>,
}

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    /// A share, as a percentage.
    Share,
    /// A plain number.
    Number,
}

impl Finding {
    /// A number whose interval is known.
    pub(crate) fn new(estimate: Estimate, unit: Unit, meaning: String, method: impl Into<String>) -> Self {
        let interval = estimate.interval.map(|Interval { low, high }| [low, high].map(Number));
        let (value, details) = (Number(estimate.value), Vec::new());
        Self { value, interval, unit, meaning, method: method.into(), details }
    }

    /// A share of examples, with Wilson's interval; none of no examples.
    pub(crate) fn share(
        share: Proportion,
        meaning: impl FnOnce(f64) -> String,
        method: impl Into<String>,
    ) -> Option<Self> {
        let value = share.estimate()?;
        let estimate = Estimate { value, interval: Some(share.interval(CONFIDENCE)) };
        Some(Self::new(estimate, Unit::Share, meaning(value), method))
    }

    /// A number that is exact.
    pub(crate) fn exact(value: f64, unit: Unit, meaning: String, method: impl Into<String>) -> Self {
        let estimate = Estimate { value, interval: Some(Interval { low: value, high: value }) };
        Self::new(estimate, unit, meaning, method)
    }

    /// With something to look at.
    #[must_use]
    pub(crate) fn detail(mut self, block: impl Into<Block>) -> Self {
        self.details.push(block.into());
        self
    }

    pub(crate) fn estimate(&self) -> Estimate {
        let interval = self.interval.map(|[low, high]| Interval { low: low.0, high: high.0 });
        Estimate { value: self.value.0, interval }
    }

    /// As reports show it.
    pub(crate) fn shown(&self) -> Value {
        let value = Some(self.value.0);
        match (self.interval, self.unit) {
            (Some([low, high]), Unit::Share) if low != high => {
                Value::percent_interval(value, [low.0, high.0], 2)
            }
            (Some([low, high]), Unit::Number) if low != high => Value::interval(value, [low.0, high.0], 4),
            _ => self.unit.shown(self.value.0),
        }
    }
}

impl Unit {
    /// A number as reports show it.
    pub(crate) fn shown(self, value: f64) -> Value {
        match self {
            Self::Share => Value::percent(value, 2),
            Self::Number => Value::number(value, 4),
        }
    }
}

/// Why a check has no number.
#[derive(Debug)]
pub(crate) enum Unmeasured {
    /// There is nothing here that it could measure.
    Skipped(String),
    /// It failed.
    Failed(CliError),
}

impl<E: Into<CliError>> From<E> for Unmeasured {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Says why there is nothing to measure.
pub(crate) fn skip<T>(why: impl Into<String>) -> Result<T, Unmeasured> {
    Err(Unmeasured::Skipped(why.into()))
}
