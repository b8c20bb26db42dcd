//! What steps of training cost in privacy: ways to compute ε, a file each.
//!
//! All are for examples added or removed, and for samples that have each example independently of the others.

mod gaussian;
mod loss;
mod normal;
mod renyi;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Phase, PrivacyError, phase::check_delta};

pub(crate) use gaussian::epsilon_of;
pub use gaussian::gdp;
pub use loss::{Bounds, pld};
pub use renyi::rdp;

/// A way to compute ε.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Accountant {
    /// The privacy-loss distribution's upper bound, tight to within half a percent.
    #[default]
    Pld,
    /// Rényi differential privacy: an upper bound, 5 to 30% too high.
    Rdp,
    /// Gaussian differential privacy's limit of many steps: an estimate, which may be too low.
    Gdp,
}

/// The most noise that is looked for.
const MOST_NOISE: f64 = 1e5;

impl Accountant {
    /// ε of all phases together, for `delta`.
    ///
    /// # Errors
    ///
    /// Where `delta` is no probability between 0 and 1.
    pub fn epsilon(self, phases: &[Phase], delta: f64) -> Result<f64, PrivacyError> {
        match self {
            Self::Pld => Ok(pld(phases, delta)?.upper),
            Self::Rdp => rdp(phases, delta),
            Self::Gdp => gdp(phases, delta),
        }
    }

    /// The least noise, to three digits or more, with which `steps` steps at `rate` after the phases `before` cost no more
    /// than `epsilon`.
    ///
    /// # Errors
    ///
    /// Where a number is none of its kind, or no noise suffices.
    pub fn noise(
        self,
        before: &[Phase],
        (rate, steps): (f64, u64),
        epsilon: f64,
        delta: f64,
    ) -> Result<f64, PrivacyError> {
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(PrivacyError::Epsilon(epsilon));
        }
        check_delta(delta)?;
        let cost = |noise: f64| {
            let mut phases = before.to_vec();
            phases.push(Phase::new(noise, rate, steps)?);
            self.epsilon(&phases, delta)
        };
        let (mut low, mut high) = (0.0, 1.0);
        while cost(high)? > epsilon {
            (low, high) = (high, 2.0 * high);
            if high > MOST_NOISE {
                return Err(PrivacyError::Unreachable { epsilon, steps, rate, most: MOST_NOISE });
            }
        }
        while high - low > 5e-4 * high {
            let middle = 0.5 * (low + high);
            match cost(middle)? > epsilon {
                true => low = middle,
                false => high = middle,
            }
        }
        Ok(high)
    }

    /// How many steps like `phase`'s, after the phases `before`, cost no more than `epsilon`; at most `phase`'s own.
    ///
    /// # Errors
    ///
    /// Where `delta` is no probability between 0 and 1.
    pub fn steps_within(
        self,
        before: &[Phase],
        phase: Phase,
        epsilon: f64,
        delta: f64,
    ) -> Result<u64, PrivacyError> {
        let fits = |steps: u64| {
            let mut phases = before.to_vec();
            phases.push(phase.with_steps(steps));
            Ok::<_, PrivacyError>(self.epsilon(&phases, delta)? <= epsilon)
        };
        if fits(phase.steps())? {
            return Ok(phase.steps());
        }
        let (mut low, mut high) = (0, phase.steps());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match fits(middle)? {
                true => low = middle,
                false => high = middle,
            }
        }
        Ok(low)
    }
}

#[cfg(test)]
mod tests;
