use serde::{Deserialize, Serialize};

use crate::interval::Interval;

/// A number that was estimated, with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// On all examples.
    pub value: f64,
    /// Where it lies in the population, at the confidence asked for; `None` where the examples tell of no spread.
    pub interval: Option<Interval>,
}
