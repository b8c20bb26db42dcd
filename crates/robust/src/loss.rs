//! What a white-box attack makes large: losses of one example's logits, with their gradients.

/// Cross-entropy, `−log softmax(z)_y`, and its gradient by the logits.
pub(crate) fn cross_entropy(logits: &[f32], label: usize, gradient: &mut [f32]) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (gradient, logit) in gradient.iter_mut().zip(logits) {
        *gradient = (logit - largest).exp();
        sum += *gradient;
    }
    gradient.iter_mut().for_each(|value| *value /= sum);
    gradient[label] -= 1.0;
    sum.ln() - (logits[label] - largest)
}

/// The class of the largest logit; the first of equals.
pub(crate) fn class(logits: &[f32]) -> usize {
    (1..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_entropy_is_that_of_the_softmax() {
        let logits = [1.0f32, 3.0, -2.0];
        let mut gradient = [0.0; 3];
        let loss = cross_entropy(&logits, 0, &mut gradient);
        let sum: f64 = logits.iter().map(|z| f64::from(*z).exp()).sum();
        assert!((f64::from(loss) - (sum.ln() - 1.0)).abs() < 1e-6);
        for (class, gradient) in gradient.iter().enumerate() {
            let expected = f64::from(logits[class]).exp() / sum - f64::from(u8::from(class == 0));
            assert!((f64::from(*gradient) - expected).abs() < 1e-6);
        }
        assert_eq!(cross_entropy(&[1e4, 0.0], 1, &mut [0.0; 2]), 1e4);
    }
}
