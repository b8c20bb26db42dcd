use crate::log_sum::log_sum;

/// How confident a classifier is of a class: ln p − ln(1 − p) for its probability p, which over many models is about
/// normally distributed, as p and its loss are not.
///
/// It is computed from the logits `[classes]`, as the class's own less the logarithm of the sum of the others'
/// exponentials. Probabilities near 1 have lost the digits that it rests on.
///
/// N. Carlini et al.: Membership inference attacks from first principles, 2022 (arXiv:2112.03570).
///
/// # Panics
///
/// If there are not at least two classes, or `label` is none of them.
#[must_use]
pub fn confidence(logits: &[f64], label: usize) -> f64 {
    assert!(logits.len() > 1 && label < logits.len(), "class {label} of {}", logits.len());
    let others = [&logits[..label], &logits[label + 1..]].concat();
    logits[label] - log_sum(&others)
}

/// The logarithm of the probability that has this confidence: the loss, negated.
pub(super) fn log_probability(confidence: f64) -> f64 {
    confidence.min(0.0) - (-confidence.abs()).exp().ln_1p()
}
