use rand_chacha::ChaCha8Rng;

use super::RiskCoverage;
use crate::bootstrap::Bootstrap;
use crate::interval::{Interval, Proportion};

impl RiskCoverage {
    /// The area under the risk-coverage curve (AURC), in [0, 1]: the share of wrong answers among the k most confident,
    /// averaged over k from 1 to all. 0 is perfect. Examples of equal confidence are taken in random order, of which this is
    /// the expectation.
    ///
    /// Source: Y. Geifman, G. Uziel, R. El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers",
    /// ICLR 2019.
    pub fn area(&self) -> f64 {
        let (mut sum, mut answered, mut wrong) = (0.0, 0, 0);
        for point in self.points() {
            let tied = point.accuracy.trials - answered;
            let more = point.accuracy.trials - point.accuracy.successes - wrong;
            let share = more as f64 / tied as f64;
            let risk = |k: u64| (wrong as f64 + share * k as f64) / (answered + k) as f64;
            sum += (1..=tied).map(risk).sum::<f64>();
            (answered, wrong) = (answered + tied, wrong + more);
        }
        sum / answered as f64
    }

    /// The excess area (E-AURC): [`area`](Self::area) less that of the best confidence there could be for the same answers,
    /// which has all wrong ones last. What is left is the confidence's fault, not the accuracy's.
    pub fn excess_area(&self) -> f64 {
        let Proportion { successes: right, trials: all } = self.all();
        let best: f64 = (right + 1..=all).map(|k| (k - right) as f64 / k as f64).sum();
        self.area() - best / all as f64
    }

    fn all(&self) -> Proportion {
        self.points().last().map_or(Proportion { successes: 0, trials: 0 }, |last| last.accuracy)
    }
}

/// The percentile interval of the area under the risk-coverage curve ([`RiskCoverage::area`]), by resampling examples;
/// `None` where there is no curve.
///
/// # Panics
///
/// As [`RiskCoverage::new`] and [`Bootstrap::percentile`] do.
pub fn area_interval(
    confidences: &[f64],
    correct: &[bool],
    bootstrap: Bootstrap,
    rng: &mut ChaCha8Rng,
) -> Option<Interval> {
    bootstrap.percentile(correct.len(), rng, |drawn| {
        let confidences: Vec<f64> = drawn.iter().map(|i| confidences[*i]).collect();
        let correct: Vec<bool> = drawn.iter().map(|i| correct[*i]).collect();
        Some(RiskCoverage::new(&confidences, &correct)?.area())
    })
}
