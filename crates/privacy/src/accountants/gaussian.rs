//! Gaussian differential privacy: of many steps, about what telling N(0, 1) from N(μ, 1) is.
//!
//! J. Dong, A. Roth, W. Su: Gaussian differential privacy, 2022 (arXiv:1905.02383); Z. Bu et al.: Deep learning with
//! Gaussian differential privacy, 2020 (arXiv:1911.11607), corollary 5.4, for Poisson sampling.

use super::normal::log_cdf;
use crate::{Phase, PrivacyError, phase::check_delta};

/// ε of all phases together for `delta`, in the limit of many steps at a low rate: an estimate, no bound.
///
/// # Errors
///
/// Where `delta` is no probability between 0 and 1.
pub fn gdp(phases: &[Phase], delta: f64) -> Result<f64, PrivacyError> {
    check_delta(delta)?;
    let square = |phase: &Phase| {
        let grown = phase.noise().powi(-2).exp_m1();
        phase.steps() as f64 * phase.rate().powi(2) * grown
    };
    let mu = phases.iter().map(square).sum::<f64>().sqrt();
    Ok(epsilon_of(mu, delta))
}

/// The least ε for `delta` of what cannot be told apart better than N(0, 1) and N(μ, 1), exactly.
pub(crate) fn epsilon_of(mu: f64, delta: f64) -> f64 {
    if mu == 0.0 || !mu.is_finite() {
        return mu;
    }
    // Above it even the first of the two terms of δ is less than `delta`.
    let (mut low, mut high) = (0.0, mu * (0.5 * mu + (-2.0 * delta.ln()).sqrt()));
    if log_delta(mu, 0.0) <= delta.ln() {
        return 0.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        match log_delta(mu, middle) > delta.ln() {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

/// ln(Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ)).
fn log_delta(mu: f64, epsilon: f64) -> f64 {
    let first = log_cdf(0.5 * mu - epsilon / mu);
    let second = epsilon + log_cdf(-0.5 * mu - epsilon / mu);
    first + (-(second - first).exp()).ln_1p()
}
