//! One value of a report: what stands in a table cell, a fact, a highlight or a verdict.

use serde::{Deserialize, Serialize};

use crate::format;
use crate::number::Number;

/// A value with the precision at which it is worth reading. JSON keeps all digits; people see `digits` decimals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Value {
    /// Nothing to show, such as an undefined metric.
    Missing,
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A number.
    Number {
        /// The number.
        value: Number,
        /// Decimals shown.
        digits: u8,
        /// Unit symbol, such as `s` or `MiB`; empty for a plain number.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        unit: String,
    },
    /// A fraction, shown as a percentage.
    Percent {
        /// The fraction: 1 is 100%.
        value: Number,
        /// Decimals of the percentage shown.
        digits: u8,
    },
    /// An estimate with its confidence interval.
    Interval {
        /// The estimate; NaN where there is none.
        estimate: Number,
        /// Lower end.
        low: Number,
        /// Upper end.
        high: Number,
        /// Decimals shown.
        digits: u8,
        /// Whether all three are fractions, to be shown as percentages.
        percent: bool,
    },
}

impl Value {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// A count of things. Exact up to 2⁵³.
    pub fn count(count: u64) -> Self {
        Self::number(count as f64, 0)
    }

    /// A plain number with `digits` decimals.
    pub fn number(value: f64, digits: u8) -> Self {
        Self::quantity(value, digits, "")
    }

    /// A number with a unit symbol.
    pub fn quantity(value: f64, digits: u8, unit: impl Into<String>) -> Self {
        Self::Number { value: Number(value), digits, unit: unit.into() }
    }

    /// A fraction (1 is 100%), shown as a percentage with `digits` decimals.
    pub fn percent(fraction: f64, digits: u8) -> Self {
        Self::Percent { value: Number(fraction), digits }
    }

    /// An estimate with the interval `[low, high]`; `None` where it is undefined.
    pub fn interval(estimate: Option<f64>, [low, high]: [f64; 2], digits: u8) -> Self {
        let estimate = Number(estimate.unwrap_or(f64::NAN));
        Self::Interval { estimate, low: Number(low), high: Number(high), digits, percent: false }
    }

    /// As [`interval`](Self::interval), of fractions shown as percentages.
    pub fn percent_interval(estimate: Option<f64>, [low, high]: [f64; 2], digits: u8) -> Self {
        let estimate = Number(estimate.unwrap_or(f64::NAN));
        Self::Interval { estimate, low: Number(low), high: Number(high), digits, percent: true }
    }

    /// The number itself, where it is finite.
    pub fn estimate(&self) -> Option<f64> {
        match self {
            Self::Missing | Self::Text { .. } => None,
            Self::Number { value, .. } | Self::Percent { value, .. } => Some(value.0),
            Self::Interval { estimate, .. } => Some(estimate.0),
        }
        .filter(|value| value.is_finite())
    }

    /// The ends of the interval, where they are finite and there is an estimate between them.
    pub fn ends(&self) -> Option<[f64; 2]> {
        match self {
            Self::Interval { low, high, .. } if low.0.is_finite() && high.0.is_finite() => {
                self.estimate().map(|_| [low.0, high.0])
            }
            _ => None,
        }
    }

    /// The value without its interval, as people read it.
    pub(crate) fn head(&self) -> String {
        match self {
            Self::Missing => "–".to_owned(),
            Self::Text { text } => text.clone(),
            Self::Number { value, digits, unit } if unit.is_empty() => format::number(value.0, *digits),
            Self::Number { value, digits, unit } => {
                format!("{}\u{a0}{unit}", format::number(value.0, *digits))
            }
            Self::Percent { value, digits } => format::percent(value.0, *digits),
            Self::Interval { estimate, digits, percent: false, .. } => format::number(estimate.0, *digits),
            Self::Interval { estimate, digits, percent: true, .. } => format::percent(estimate.0, *digits),
        }
    }

    /// The interval as people read it; nothing where there is no estimate, since an undefined value has no precision.
    pub(crate) fn tail(&self) -> Option<String> {
        match self {
            Self::Interval { estimate, low, high, digits, percent } if !estimate.0.is_nan() => {
                let write = if *percent { format::percent_range } else { format::range };
                Some(write(low.0, high.0, *digits))
            }
            _ => None,
        }
    }
}

/// As people read it: `97.1% (95.9–98.0%)`.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.tail().map_or_else(|| self.head(), |tail| format!("{} ({tail})", self.head()));
        f.pad(&text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}
