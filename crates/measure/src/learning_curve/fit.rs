use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::PowerLaw;
use crate::bootstrap::Bootstrap;
use crate::estimate::Estimate;

/// A power law fitted to the errors of several trainings, and others that might as well have been.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningCurve {
    /// The law of the least squares.
    pub law: PowerLaw,
    largest: f64,
    resampled: Vec<PowerLaw>,
    bootstrap: Bootstrap,
}

/// What twice the examples would bring.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubling {
    /// The error by the law at the most examples that were trained on.
    pub now: Estimate,
    /// The error at twice as many.
    pub then: Estimate,
    /// How much lower that is.
    pub gain: Estimate,
}

/// Why errors have no learning curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCurve {
    /// Three numbers take three different numbers of examples, and four measurements to leave any doubt.
    TooFew {
        /// Different numbers of examples.
        sizes: usize,
        /// Measurements.
        measurements: usize,
    },
    /// A number of examples is not positive, or an error negative; or one of them is not finite.
    OutOfRange,
}

impl std::fmt::Display for NoCurve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooFew { sizes, measurements } => write!(
                f,
                "a learning curve takes three numbers of examples and four measurements, but there are {sizes} and \
                 {measurements}"
            ),
            Self::OutOfRange => f.write_str("numbers of examples are positive, and errors not negative"),
        }
    }
}

impl std::error::Error for NoCurve {}

impl LearningCurve {
    /// Fits the law to `errors` (shares or losses) after training on `sizes` examples, in any order; a number of examples
    /// may occur several times, with different seeds.
    ///
    /// Each resample turns the signs of the residuals at random (the wild bootstrap, Wu 1986), which lets them be larger at
    /// small sizes, and fits again.
    ///
    /// # Errors
    ///
    /// Where the measurements do not determine a law.
    ///
    /// # Panics
    ///
    /// If the slices differ in length.
    pub fn fit(
        sizes: &[f64],
        errors: &[f64],
        bootstrap: Bootstrap,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, NoCurve> {
        assert_eq!(sizes.len(), errors.len(), "an error for each size");
        check(sizes, errors)?;
        let law = PowerLaw::fit(sizes, errors);
        let measurements = sizes.len() as f64;
        // Residuals of three fitted numbers are too small.
        let inflation = (measurements / (measurements - 3.0)).sqrt();
        let fitted: Vec<f64> = sizes.iter().map(|n| law.at(*n)).collect();
        let mut again = |_| {
            let turned = fitted.iter().zip(errors).map(|(fitted, error)| {
                let sign = if rng.random::<bool>() { inflation } else { -inflation };
                (fitted + sign * (error - fitted)).max(0.0)
            });
            PowerLaw::fit(sizes, &turned.collect::<Vec<f64>>())
        };
        let resampled = (0..bootstrap.resamples).map(&mut again).collect();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        Ok(Self { law, largest, resampled, bootstrap })
    }

    /// The error after training on so many examples, which may be more than were tried; the further, the less even the
    /// interval says, since it supposes the law.
    ///
    /// # Panics
    ///
    /// If the bootstrap's confidence is not strictly between 0 and 1.
    pub fn forecast(&self, examples: f64) -> Estimate {
        self.estimate(|law| law.at(examples))
    }

    /// What twice as many examples as the most that were tried would bring.
    ///
    /// # Panics
    ///
    /// As [`forecast`](Self::forecast) does.
    pub fn doubling(&self) -> Doubling {
        let (now, then) = (self.largest, 2.0 * self.largest);
        Doubling {
            now: self.forecast(now),
            then: self.forecast(then),
            gain: self.estimate(|law| law.at(now) - law.at(then)),
        }
    }

    /// A number that follows from the law, such as its floor.
    ///
    /// # Panics
    ///
    /// As [`forecast`](Self::forecast) does.
    pub fn estimate(&self, of: impl Fn(&PowerLaw) -> f64) -> Estimate {
        let interval = self.bootstrap.between(self.resampled.iter().map(&of).collect());
        Estimate { value: of(&self.law), interval }
    }
}

fn check(sizes: &[f64], errors: &[f64]) -> Result<(), NoCurve> {
    let is_size = |n: &f64| n.is_finite() && *n > 0.0;
    let is_error = |e: &f64| e.is_finite() && *e >= 0.0;
    if !sizes.iter().all(is_size) || !errors.iter().all(is_error) {
        return Err(NoCurve::OutOfRange);
    }
    let mut distinct = sizes.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    if distinct.len() < 3 || sizes.len() < 4 {
        return Err(NoCurve::TooFew { sizes: distinct.len(), measurements: sizes.len() });
    }
    Ok(())
}
