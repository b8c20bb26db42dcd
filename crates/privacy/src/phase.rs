use crate::PrivacyError;

/// Steps of training of one kind: each adds Gaussian noise to a sum over examples drawn independently of each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phase {
    noise: f64,
    rate: f64,
    steps: u64,
}

impl Phase {
    /// `steps` steps, each over a sample that has every example with the probability `rate`, with a noise whose standard
    /// deviation is `noise` times what a single example can change the sum by (the clipping norm).
    ///
    /// # Errors
    ///
    /// Where the noise is not above 0 or the rate is no probability above 0.
    pub fn new(noise: f64, rate: f64, steps: u64) -> Result<Self, PrivacyError> {
        if !(noise > 0.0 && noise.is_finite()) {
            return Err(PrivacyError::Noise(noise));
        }
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(PrivacyError::Rate(rate));
        }
        Ok(Self { noise, rate, steps })
    }

    /// The noise's standard deviation over the clipping norm.
    #[must_use]
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// The probability of each example to be in a step's sample.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// How many steps.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// So many steps of the same kind.
    #[must_use]
    pub fn with_steps(self, steps: u64) -> Self {
        Self { steps, ..self }
    }

    /// The logarithm of the ratio of the densities at `z`: of a sum that an example may be in, to that without it.
    pub(crate) fn log_ratio(&self, z: f64) -> f64 {
        let exponent = (2.0 * z - 1.0) / (2.0 * self.noise * self.noise);
        if exponent < 0.0 && self.rate > 0.5 {
            ((1.0 - self.rate) + self.rate * exponent.exp()).ln()
        } else if exponent < 1.0 {
            // Near zero where the rate is small.
            (self.rate * exponent.exp_m1()).ln_1p()
        } else {
            exponent + (self.rate + (1.0 - self.rate) * (-exponent).exp()).ln()
        }
    }

    /// Where [`Self::log_ratio`] is `y`; −∞ where it is nowhere that low.
    pub(crate) fn place_of(&self, y: f64) -> f64 {
        let exponent = if y < 0.0 && self.rate > 0.5 {
            ((y.exp() - (1.0 - self.rate)) / self.rate).ln()
        } else if y < 1.0 {
            (y.exp_m1() / self.rate).ln_1p()
        } else {
            y + ((1.0 - (1.0 - self.rate) * (-y).exp()) / self.rate).ln()
        };
        let place = self.noise * self.noise * exponent + 0.5;
        if place.is_nan() { f64::NEG_INFINITY } else { place }
    }
}

/// A δ that is a probability, neither 0 nor 1.
pub(crate) fn check_delta(delta: f64) -> Result<(), PrivacyError> {
    if delta > 0.0 && delta < 1.0 { Ok(()) } else { Err(PrivacyError::Delta(delta)) }
}
