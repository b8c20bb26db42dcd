use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Calibration;
use crate::{CompressError, Observed};

/// The range that holds a share of the values, as many cut off at each end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Percentile {
    /// Values within the range, in percent.
    #[schemars(range(min = 50.0, max = 100.0))]
    pub percent: f64,
}

impl Default for Percentile {
    fn default() -> Self {
        Self { percent: 99.99 }
    }
}

impl Calibration for Percentile {
    fn check(&self) -> Result<(), CompressError> {
        match (50.0..=100.0).contains(&self.percent) {
            true => Ok(()),
            false => Err(CompressError::Percent(self.percent)),
        }
    }

    fn range(&self, observed: &Observed) -> [f32; 2] {
        let count: u64 = observed.bins.iter().sum();
        let outside = (count as f64 * (1.0 - self.percent / 100.0) / 2.0).max(0.0);
        // The first bin, from one end, that not all of those outside lie in or before.
        let inside = |bins: &[u64]| {
            let mut seen = 0;
            let mut reached = bins.iter().map(|bin| {
                seen += bin;
                seen as f64 > outside
            });
            reached.position(|reached| reached).unwrap_or(0)
        };
        let first = inside(&observed.bins);
        let last = inside(&observed.bins.iter().rev().copied().collect::<Vec<u64>>());
        let low = f64::from(observed.low) + first as f64 * observed.width();
        let high = f64::from(observed.high) - last as f64 * observed.width();
        [(low as f32).min(0.0), (high as f32).max(0.0)]
    }
}
