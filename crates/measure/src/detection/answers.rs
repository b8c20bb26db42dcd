//! Scores from the network's answers alone.

use crate::rows::Rows;
use crate::softmax::log_sum_exp;

/// One less the largest probability, for probabilities `[examples, classes]`.
///
/// Source: D. Hendrycks, K. Gimpel, "A baseline for detecting misclassified and out-of-distribution examples in neural
/// networks", ICLR 2017.
pub fn max_softmax(probabilities: Rows<'_>) -> Vec<f64> {
    probabilities.iter().map(|row| 1.0 - largest(row)[0]).collect()
}

/// The entropy −Σ p ln p in nats, for probabilities `[examples, classes]`.
pub fn entropy(probabilities: Rows<'_>) -> Vec<f64> {
    let term = |p: &f64| if *p > 0.0 { -p * p.ln() } else { 0.0 };
    probabilities.iter().map(|row| row.iter().map(term).sum()).collect()
}

/// One less the distance between the two largest probabilities, for probabilities `[examples, classes]`; of a single class,
/// one less its probability.
pub fn margin(probabilities: Rows<'_>) -> Vec<f64> {
    let of = |row: &[f64]| {
        let [first, second] = largest(row);
        1.0 - (first - second.max(0.0))
    };
    probabilities.iter().map(of).collect()
}

/// The energy −T ln Σ exp(z/T) of logits z `[examples, classes]`, at the temperature T, usually 1.
///
/// Source: W. Liu et al., "Energy-based out-of-distribution detection", NeurIPS 2020.
///
/// # Panics
///
/// If `temperature` is not above 0.
pub fn energy(logits: Rows<'_>, temperature: f64) -> Vec<f64> {
    assert!(temperature > 0.0, "a temperature of {temperature}");
    logits.iter().map(|row| -temperature * log_sum_exp(row.iter().map(|z| z / temperature))).collect()
}

/// The two largest values, −∞ where there is no second.
fn largest(row: &[f64]) -> [f64; 2] {
    row.iter().fold([f64::NEG_INFINITY; 2], |[first, second], value| {
        if *value > first { [*value, first] } else { [first, second.max(*value)] }
    })
}
