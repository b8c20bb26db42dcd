//! From logits to probabilities, in float64.

use crate::rows::Rows;

/// The probabilities exp(zₖ/T) / Σⱼ exp(zⱼ/T) of logits z `[rows, classes]` at the temperature T, in the same shape.
///
/// # Panics
///
/// If `temperature` is not above 0.
pub fn softmax(logits: Rows<'_>, temperature: f64) -> Vec<f64> {
    assert!(temperature > 0.0, "a temperature of {temperature}");
    logits.iter().flat_map(|row| probabilities(row.iter().map(|z| z / temperature))).collect()
}

/// The probabilities of one example's logits.
pub(crate) fn probabilities(logits: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let most = logits.clone().fold(f64::NEG_INFINITY, f64::max);
    let mut shares: Vec<f64> = logits.map(|z| (z - most).exp()).collect();
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
    shares
}

/// ln Σ exp(z), without overflow; −∞ of nothing.
pub(crate) fn log_sum_exp(logits: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = logits.clone().fold(f64::NEG_INFINITY, f64::max);
    if most.is_infinite() { most } else { most + logits.map(|z| (z - most).exp()).sum::<f64>().ln() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_and_large_logits_do_not_overflow() {
        let found = softmax(Rows::new(&[1000.0, 1001.0, -5.0, 0.0, 0.0, 0.0], 3), 2.0);
        assert!((found[1] / found[0] - 0.5f64.exp()).abs() < 1e-12);
        assert!((found[..3].iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert_eq!(found[3..], [1.0 / 3.0; 3]);
    }
}
