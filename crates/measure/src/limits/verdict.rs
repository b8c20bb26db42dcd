use serde::{Deserialize, Serialize};

use crate::estimate::Estimate;

/// A bound on a measured number, in the number's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The number must not be lower: of what is good.
    Min(f64),
    /// The number must not be higher: of what is bad.
    Max(f64),
}

/// What an interval tells of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval keeps the limit.
    Pass,
    /// The whole interval breaks it.
    Fail,
    /// The limit lies within the interval, or there is none: there are too few examples to say.
    Undecided,
}

impl Limit {
    /// The verdict on a number by its interval alone: an estimate on the right side of a limit is not enough to pass.
    ///
    /// A model whose true number is just beyond the limit passes as seldom as the interval misses on one side, in 2.5% of
    /// cases at a confidence of 95%. A number that is exact, such as a size in bytes, has an interval of width 0.
    pub fn judge(self, measured: Estimate) -> Verdict {
        let Some(interval) = measured.interval else { return Verdict::Undecided };
        let (passes, fails) = match self {
            Self::Min(limit) => (interval.low >= limit, interval.high < limit),
            Self::Max(limit) => (interval.high <= limit, interval.low > limit),
        };
        match (passes, fails) {
            (true, _) => Verdict::Pass,
            (_, true) => Verdict::Fail,
            _ => Verdict::Undecided,
        }
    }

    /// How far a value lies on the good side of the limit, in its unit; negative beyond it.
    pub fn margin(self, value: f64) -> f64 {
        match self {
            Self::Min(limit) => value - limit,
            Self::Max(limit) => limit - value,
        }
    }
}
