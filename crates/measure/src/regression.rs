//! Errors of real-valued predictions.

use serde::{Deserialize, Serialize};

use crate::interval::{Interval, two_sided_z};

/// The mean of an error over samples, with what is known about its precision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanError {
    /// The mean over the samples.
    pub value: f64,
    /// Where the mean over the population lies, at the confidence asked for; `None` below two samples.
    ///
    /// The normal approximation value ± z s/√n with the sample deviation s (divisor n − 1); the lower end is cut at
    /// zero, below which no such error can be. With few samples or heavy tails it is too narrow.
    pub interval: Option<Interval>,
}

/// How far predictions ŷ lie from targets y.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// Number of samples n; at least one.
    pub count: u64,
    /// Mean squared error Σ(ŷ − y)²/n, in the target's unit squared.
    pub mse: MeanError,
    /// Root of the mean squared error, in the target's unit; its interval is the root of that of `mse`.
    pub rmse: MeanError,
    /// Mean absolute error Σ|ŷ − y|/n, in the target's unit.
    pub mae: MeanError,
    /// Coefficient of determination R² = 1 − Σ(ŷ − y)²/Σ(y − ȳ)²: 1 is perfect, 0 is as good as always predicting the
    /// mean target, below 0 is worse. `None` where all targets are equal (0/0), which includes a single sample.
    pub r2: Option<f64>,
}

/// Measures predictions of one real number per sample; `None` without samples.
///
/// All sums run in `f64`. NaN among the inputs makes the numbers NaN rather than go unnoticed.
///
/// # Panics
///
/// If the slices differ in length, or `confidence` is not strictly between 0 and 1.
pub fn regression(predictions: &[f32], targets: &[f32], confidence: f64) -> Option<Regression> {
    assert_eq!(predictions.len(), targets.len(), "one prediction per target");
    let z = two_sided_z(confidence);
    if targets.is_empty() {
        return None;
    }
    let errors = || predictions.iter().zip(targets).map(|(&p, &y)| f64::from(p) - f64::from(y));
    let mse = mean_error(errors().map(|e| e * e), z);
    let rmse = MeanError {
        value: mse.value.sqrt(),
        interval: mse.interval.map(|i| Interval { low: i.low.sqrt(), high: i.high.sqrt() }),
    };
    Some(Regression {
        count: targets.len() as u64,
        mse,
        rmse,
        mae: mean_error(errors().map(f64::abs), z),
        r2: determination(mse.value * targets.len() as f64, targets),
    })
}

/// The mean of errors, at least one, and its interval of ±z standard errors.
pub(crate) fn mean_error(errors: impl Iterator<Item = f64> + Clone, z: f64) -> MeanError {
    let n = errors.clone().count() as f64;
    let mean = errors.clone().sum::<f64>() / n;
    // Two passes: the textbook one-pass formula loses all digits where the mean is large against the deviation.
    let squares = errors.map(|e| (e - mean).powi(2)).sum::<f64>();
    let interval = (n >= 2.0).then(|| {
        let half = z * (squares / (n - 1.0) / n).sqrt();
        // Not f64::max, which would turn a NaN into a confident zero.
        let low = if mean - half < 0.0 { 0.0 } else { mean - half };
        Interval { low, high: mean + half }
    });
    MeanError { value: mean, interval }
}

fn determination(residual: f64, targets: &[f32]) -> Option<f64> {
    let values = || targets.iter().map(|&y| f64::from(y));
    // Compared exactly: the mean of equal targets may round away from them and leave a spurious tiny spread.
    if targets.iter().all(|y| *y == targets[0]) {
        return None;
    }
    let mean = values().sum::<f64>() / targets.len() as f64;
    let total = values().map(|y| (y - mean).powi(2)).sum::<f64>();
    Some(1.0 - residual / total)
}
