//! Confidence intervals by resampling, for what has no formula.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::interval::Interval;

/// How to resample: each resample draws as many examples as there are, with replacement.
///
/// Source: B. Efron, R. Tibshirani, "An introduction to the bootstrap" (1993), chapters 13 and 14.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// Number of resamples; 1,000 or more for the ends of a 95% interval.
    pub resamples: usize,
    /// Probability that an interval holds the truth.
    pub confidence: f64,
}

impl Default for Bootstrap {
    /// 1,000 resamples at 95%.
    fn default() -> Self {
        Self { resamples: 1000, confidence: 0.95 }
    }
}

impl Bootstrap {
    /// The interval between the quantiles of the statistic over resamples. `statistic` is given the drawn indices below
    /// `count`; a resample on which it is undefined is left out. `None` where it is defined on fewer than half.
    ///
    /// # Panics
    ///
    /// If `confidence` is not strictly between 0 and 1.
    pub fn percentile(
        &self,
        count: usize,
        rng: &mut ChaCha8Rng,
        statistic: impl FnMut(&[usize]) -> Option<f64>,
    ) -> Option<Interval> {
        let values = self.statistics(count, rng, statistic);
        self.between(values)
    }

    /// The percentile interval mirrored at the estimate on all examples, [2e − high, 2e − low]: what resampling adds to a
    /// statistic, sampling has already added to the estimate, so that it is taken off. For statistics with a bias, such
    /// as errors that are never negative.
    ///
    /// # Panics
    ///
    /// If `confidence` is not strictly between 0 and 1.
    pub fn basic(
        &self,
        count: usize,
        estimate: f64,
        rng: &mut ChaCha8Rng,
        statistic: impl FnMut(&[usize]) -> Option<f64>,
    ) -> Option<Interval> {
        let percentile = self.percentile(count, rng, statistic)?;
        Some(Interval { low: 2.0 * estimate - percentile.high, high: 2.0 * estimate - percentile.low })
    }

    /// The statistic on each resample where it is defined.
    pub(crate) fn statistics<T>(
        &self,
        count: usize,
        rng: &mut ChaCha8Rng,
        mut statistic: impl FnMut(&[usize]) -> Option<T>,
    ) -> Vec<T> {
        if count == 0 {
            return Vec::new();
        }
        let mut drawn = vec![0; count];
        let resample = |_| {
            drawn.fill_with(|| rng.random_range(0..count));
            statistic(&drawn)
        };
        (0..self.resamples).filter_map(resample).collect()
    }

    /// The middle share of values.
    pub(crate) fn between(&self, mut values: Vec<f64>) -> Option<Interval> {
        assert!(self.confidence > 0.0 && self.confidence < 1.0, "a confidence of {}", self.confidence);
        if values.is_empty() || 2 * values.len() < self.resamples {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let tail = 0.5 * (1.0 - self.confidence);
        Some(Interval { low: quantile(&values, tail), high: quantile(&values, 1.0 - tail) })
    }
}

/// The quantile of sorted values, at least one, linear between neighbours (Hyndman and Fan's type 7).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let (from, rest) = (sorted[below], place - below as f64);
    // Two infinite neighbours have no difference.
    if rest == 0.0 || from == sorted[above] { from } else { from + rest * (sorted[above] - from) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_that_of_its_standard_error() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
        let mean = |drawn: &[usize]| Some(drawn.iter().map(|i| values[*i]).sum::<f64>() / drawn.len() as f64);
        let bootstrap = Bootstrap { resamples: 4000, confidence: 0.95 };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let half = 1.96 * 33.25f64.sqrt() / 20.0;
        for found in [
            bootstrap.percentile(400, &mut rng, mean).unwrap(),
            bootstrap.basic(400, 9.5, &mut rng, mean).unwrap(),
        ] {
            assert!((found.low - (9.5 - half)).abs() < 0.06 && (found.high - (9.5 + half)).abs() < 0.06);
        }
        assert_eq!(bootstrap.percentile(0, &mut rng, mean), None);
        assert_eq!(bootstrap.percentile(5, &mut rng, |_| None), None);
    }

    #[test]
    fn quantiles_are_numpys() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0, 8.0], 0.5), 3.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0, 8.0], 0.9), 4.0 + 0.7000000000000002 * 4.0);
        assert_eq!(quantile(&[3.0], 0.975), 3.0);
    }
}
