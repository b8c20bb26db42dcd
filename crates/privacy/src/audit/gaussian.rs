//! What Gaussian differential privacy allows an attack: a higher bound, where training is as private as a Gaussian
//! mechanism is and no more, as with noise added to the sum of clipped gradients.
//!
//! M. Nasr et al.: Tight auditing of differentially private machine learning, 2023 (arXiv:2302.07956).

use crucible_measure::normal_quantile;

use crate::{PrivacyError, accountants::epsilon_of, phase::check_delta};

/// ε for `delta` of the least μ at which an attack can be mistaken in these shares of the runs without and with the canary.
///
/// # Errors
///
/// Where `delta` is no probability between 0 and 1.
pub fn gaussian(false_positives: f64, false_negatives: f64, delta: f64) -> Result<f64, PrivacyError> {
    check_delta(delta)?;
    let mu = -normal_quantile(false_positives) - normal_quantile(false_negatives);
    Ok(epsilon_of(mu.max(0.0), delta))
}
