use rand_chacha::ChaCha8Rng;

use super::{Binning, Forecasts};
use crate::bootstrap::Bootstrap;
use crate::interval::Interval;
use crate::rows::Rows;

impl Forecasts {
    /// The expected calibration error: the mean over forecasts of |mean probability − share that happened| of their bin,
    /// in [0, 1]. `None` without forecasts.
    ///
    /// It is never negative, so that chance adds to it: perfect forecasts have one above 0, the more so the more bins and
    /// the fewer forecasts. Compare it only at equal numbers of both.
    ///
    /// Source: M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
    /// AAAI 2015; C. Guo et al., "On calibration of modern neural networks", ICML 2017 (15 bins of equal width).
    ///
    /// # Panics
    ///
    /// If the number of bins is 0.
    pub fn expected_calibration_error(&self, binning: Binning) -> Option<f64> {
        let weighed = |bin: &super::ReliabilityBin| Some(bin.gap()?.abs() * bin.happened.trials as f64);
        let sum: f64 = self.bins(binning).iter().filter_map(weighed).sum();
        (!self.is_empty()).then(|| sum / self.len() as f64)
    }

    /// The maximum calibration error: the largest |mean probability − share that happened| of a bin, however few forecasts
    /// are in it. `None` without forecasts.
    ///
    /// # Panics
    ///
    /// If the number of bins is 0.
    pub fn maximum_calibration_error(&self, binning: Binning) -> Option<f64> {
        self.bins(binning).iter().filter_map(|bin| Some(bin.gap()?.abs())).reduce(f64::max)
    }

    /// Where the expected calibration error lies, with the bootstrap's probability, of forecasts that are perfect: events
    /// are drawn to happen as often as they say. What lies within tells nothing of miscalibration. `None` without
    /// forecasts.
    ///
    /// Source: J. Bröcker, L. Smith, "Increasing the reliability of reliability diagrams", Weather and Forecasting 22
    /// (2007), consistency resampling.
    ///
    /// # Panics
    ///
    /// As [`expected_calibration_error`](Self::expected_calibration_error) and [`Bootstrap::percentile`] do.
    pub fn calibration_error_by_chance(
        &self,
        binning: Binning,
        bootstrap: Bootstrap,
        rng: &mut ChaCha8Rng,
    ) -> Option<Interval> {
        let mut perfect = self.clone();
        let draw = |_| {
            perfect.draw_outcomes(rng);
            perfect.expected_calibration_error(binning)
        };
        bootstrap.between((0..bootstrap.resamples).filter_map(draw).collect())
    }

    /// An interval of the expected calibration error by resampling forecasts ([`Bootstrap::basic`]), cut to [0, 1].
    /// `None` without forecasts.
    ///
    /// The basic interval, since what chance adds to the error it adds again in each resample; it may therefore lie wholly
    /// below the estimate. Near 0 even it misses the truth in four of ten simulations: where chance alone may explain the
    /// error ([`calibration_error_by_chance`](Self::calibration_error_by_chance)), it is extended to 0.
    ///
    /// # Panics
    ///
    /// As [`expected_calibration_error`](Self::expected_calibration_error) and [`Bootstrap::basic`] do.
    pub fn expected_calibration_error_interval(
        &self,
        binning: Binning,
        bootstrap: Bootstrap,
        rng: &mut ChaCha8Rng,
    ) -> Option<Interval> {
        let estimate = self.expected_calibration_error(binning)?;
        let error = |drawn: &[usize]| self.at(drawn).expected_calibration_error(binning);
        let found = bootstrap.basic(self.len(), estimate, rng, error)?;
        let chance = self.calibration_error_by_chance(binning, bootstrap, rng)?;
        let low = if estimate <= chance.high { 0.0 } else { found.low.clamp(0.0, 1.0) };
        Some(Interval { low, high: found.high.clamp(low, 1.0) })
    }
}

/// The class-wise calibration error: the mean over classes of the expected calibration error of the class's probability,
/// for probabilities `[examples, classes]`. `None` without examples, or where
/// a number is no probability.
///
/// Source: J. Nixon et al., "Measuring calibration in deep learning", CVPR workshops 2019 (static calibration error);
/// M. Kull et al., "Beyond temperature scaling", NeurIPS 2019.
///
/// # Panics
///
/// As [`Forecasts::of_class`] does, or if the number of bins is 0.
pub fn class_wise_calibration_error(
    probabilities: Rows<'_>,
    labels: &[usize],
    binning: Binning,
) -> Option<f64> {
    let classes = probabilities.width();
    let of = |class| Forecasts::of_class(probabilities, labels, class)?.expected_calibration_error(binning);
    Some((0..classes).map(of).sum::<Option<f64>>()? / classes as f64)
}
