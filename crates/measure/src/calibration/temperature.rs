use serde::{Deserialize, Serialize};

use super::Unfit;
use crate::rows::Rows;
use crate::softmax::{probabilities, softmax};

/// Temperature scaling: the probabilities become softmax(z/T) of the logits z. No answer changes, only how sure it is.
///
/// Source: C. Guo et al., "On calibration of modern neural networks", ICML 2017.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Temperature {
    /// T: above 1 where the network is overconfident.
    pub temperature: f64,
}

impl Temperature {
    /// Finds the T of the least negative log-likelihood of `labels` given `logits` `[examples, classes]`, to rounding.
    ///
    /// The likelihood is convex in 1/T: its slope is followed by Newton's method, and by halving ln T where that would
    /// leave the bracket.
    ///
    /// # Errors
    ///
    /// Where no T is best.
    ///
    /// # Panics
    ///
    /// If there is not one label below the number of classes per row.
    pub fn fit(logits: Rows<'_>, labels: &[usize]) -> Result<Self, Unfit> {
        logits.check_labels(labels);
        if labels.is_empty() {
            return Err(Unfit::Empty);
        }
        let slope = |inverse: f64| slope(logits, labels, inverse);
        if !slope(1.0)[0].is_finite() {
            return Err(Unfit::NoMinimum);
        }
        if slope(0.0)[0] >= 0.0 {
            return Err(Unfit::Uninformative);
        }
        let is_right = |(row, label): (&[f64], usize)| row.iter().all(|z| *z <= row[label]);
        if logits.labelled(labels).all(is_right) {
            return Err(Unfit::AllRight);
        }
        let (mut low, mut high) = (1.0, 1.0);
        while slope(low)[0] > 0.0 {
            low *= 0.5;
        }
        while slope(high)[0] < 0.0 && high < 1e300 {
            high *= 2.0;
        }
        Ok(Self { temperature: 1.0 / root(slope, low, high) })
    }

    /// The probabilities of logits `[examples, classes]`, in the same shape.
    pub fn apply(&self, logits: Rows<'_>) -> Vec<f64> {
        softmax(logits, self.temperature)
    }
}

/// First and second derivative of the mean negative log-likelihood by 1/T: the mean of E z − z of the label, and of the
/// variance of z, where z is drawn by its probability.
fn slope(logits: Rows<'_>, labels: &[usize], inverse: f64) -> [f64; 2] {
    let mut sums = [0.0, 0.0];
    for (row, label) in logits.labelled(labels) {
        let p = probabilities(row.iter().map(|z| inverse * z));
        let mean: f64 = p.iter().zip(row).map(|(p, z)| p * z).sum();
        sums[0] += mean - row[label];
        sums[1] += p.iter().zip(row).map(|(p, z)| p * (z - mean).powi(2)).sum::<f64>();
    }
    sums.map(|sum| sum / labels.len() as f64)
}

/// Where a rising function becomes 0, between `low` and `high`, which are positive.
fn root(function: impl Fn(f64) -> [f64; 2], mut low: f64, mut high: f64) -> f64 {
    let mut at = (low * high).sqrt();
    for _ in 0..200 {
        let [value, rise] = function(at);
        match value < 0.0 {
            true => low = at,
            false => high = at,
        }
        let newton = at - value / rise;
        let next = if low <= newton && newton <= high { newton } else { (low * high).sqrt() };
        if (next - at).abs() <= 1e-15 * at {
            return next;
        }
        at = next;
    }
    at
}
