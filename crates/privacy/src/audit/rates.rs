//! What (ε, δ)-differential privacy itself allows an attack: a bound for any way of training.
//!
//! M. Jagielski, J. Ullman, A. Oprea: Auditing differentially private machine learning: how private is private SGD?, 2020
//! (arXiv:2006.07709); M. Nasr et al.: Adversary instantiation: lower bounds for differentially private machine learning,
//! 2021 (arXiv:2101.04535).

use super::check_slack;
use crate::PrivacyError;

/// The least ε at which an attack can be mistaken in these shares of the runs without and with the canary.
///
/// # Errors
///
/// Where `delta` is not at least 0 and below 1.
pub fn rates(false_positives: f64, false_negatives: f64, delta: f64) -> Result<f64, PrivacyError> {
    check_slack(delta)?;
    let one_way = |a: f64, b: f64| ((1.0 - delta - a) / b).ln();
    // The logarithm of a negative number is NaN, which `max` passes over.
    Ok(one_way(false_positives, false_negatives).max(one_way(false_negatives, false_positives)).max(0.0))
}
