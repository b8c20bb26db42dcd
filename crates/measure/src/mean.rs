//! A running mean that survives being stopped and resumed.

use serde::{Deserialize, Serialize};

/// A running mean, such as the loss over an epoch: Σ vᵢ nᵢ / Σ nᵢ, summed in `f64`.
///
/// A sum of n values of like sign is off by at most n · 2⁻⁵³ relative to itself: below 10⁻⁹ for ten million values.
/// A NaN that was recorded stays visible in the mean.
///
/// It is serialized by the bits of its sum: a resumed run then continues exactly where it stopped, in any format,
/// though JSON has no NaN and its readers may round decimals.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(from = "State", into = "State")]
pub struct Mean {
    sum: f64,
    count: u64,
}

#[derive(Serialize, Deserialize)]
struct State {
    sum_bits: u64,
    count: u64,
}

impl Mean {
    /// Adds one value.
    pub fn record(&mut self, value: f64) {
        self.record_many(value, 1);
    }

    /// Adds the mean `value` of `count` items, such as the loss of one batch. Adding no items changes nothing.
    pub fn record_many(&mut self, value: f64, count: u64) {
        if count > 0 {
            self.sum += value * count as f64;
            self.count += count;
        }
    }

    /// Adds everything that `other` recorded.
    pub fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.count += other.count;
    }

    /// The mean so far; `None` before the first value.
    pub fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// How many items were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl From<State> for Mean {
    fn from(state: State) -> Self {
        Self { sum: f64::from_bits(state.sum_bits), count: state.count }
    }
}

impl From<Mean> for State {
    fn from(mean: Mean) -> Self {
        Self { sum_bits: mean.sum.to_bits(), count: mean.count }
    }
}
