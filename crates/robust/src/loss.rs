//! What a white-box attack makes large: losses of one example's logits, with their gradients.

pub(crate) use crucible_measure::argmax as class;

/// The softmax of one example's logits, into `out`; returns the largest logit, and what the exponentials of the
/// differences from it add up to.
pub(crate) fn softmax(logits: &[f32], out: &mut [f32]) -> (f32, f32) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (out, logit) in out.iter_mut().zip(logits) {
        *out = (logit - largest).exp();
        sum += *out;
    }
    out.iter_mut().for_each(|value| *value /= sum);
    (largest, sum)
}

/// Cross-entropy, `−log softmax(z)_y`, and its gradient by the logits.
pub(crate) fn cross_entropy(logits: &[f32], label: usize, gradient: &mut [f32]) -> f32 {
    let (largest, sum) = softmax(logits, gradient);
    gradient[label] -= 1.0;
    sum.ln() - (logits[label] - largest)
}

/// The difference `z_to − z_from`, and its gradient.
pub(crate) fn difference(logits: &[f32], to: usize, from: usize, gradient: &mut [f32]) -> f32 {
    gradient[to] += 1.0;
    gradient[from] -= 1.0;
    logits[to] - logits[from]
}

/// Classes that the difference of logits ratio needs.
pub(crate) const RATIO: usize = 3;

/// Classes that its targeted form needs.
pub(crate) const RATIO_TO: usize = 4;

/// The difference of logits ratio, `(max_{i≠y} z_i − z_y) / (z_π1 − z_π3)` with the logits in falling order π; the plain
/// difference for two classes, and zero for one.
///
/// F. Croce, M. Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks,
/// 2020, equation 6.
pub(crate) fn ratio(logits: &[f32], label: usize, gradient: &mut [f32]) -> f32 {
    let Some(other) = strongest_other(logits, label) else { return 0.0 };
    let value = difference(logits, other, label, gradient);
    if logits.len() < RATIO {
        return value;
    }
    let order = ranked(logits);
    divide(logits, value, &[(order[0], 1.0), (order[2], -1.0)], gradient)
}

/// The targeted ratio, `(z_t − z_y) / (z_π1 − (z_π3 + z_π4) / 2)`; the plain difference for fewer than four classes.
///
/// Equation 7 of the same.
pub(crate) fn ratio_to(logits: &[f32], target: usize, label: usize, gradient: &mut [f32]) -> f32 {
    let value = difference(logits, target, label, gradient);
    if logits.len() < RATIO_TO {
        return value;
    }
    let order = ranked(logits);
    divide(logits, value, &[(order[0], 1.0), (order[2], -0.5), (order[3], -0.5)], gradient)
}

/// Divides `value` by a weighted sum of logits, and turns its gradient into that of the quotient.
fn divide(logits: &[f32], value: f32, by: &[(usize, f32)], gradient: &mut [f32]) -> f32 {
    let sum: f32 = by.iter().map(|&(class, weight)| weight * logits[class]).sum();
    let sum = sum + 1e-12;
    let quotient = value / sum;
    by.iter().for_each(|&(class, weight)| gradient[class] -= quotient * weight);
    gradient.iter_mut().for_each(|value| *value /= sum);
    quotient
}

/// The class of the largest logit other than `label`'s; none where there is no other.
pub(crate) fn strongest_other(logits: &[f32], label: usize) -> Option<usize> {
    (0..logits.len()).filter(|&class| class != label).max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
}

/// The classes from the largest logit down.
fn ranked(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    order
}

/// The classes other than `label`, from the likeliest down.
pub(crate) fn others(logits: &[f32], label: usize) -> impl Iterator<Item = usize> {
    ranked(logits).into_iter().filter(move |&class| class != label)
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

    #[test]
    fn the_gradients_of_the_ratios_are_their_slopes() {
        type Ratio = fn(&[f32], &mut [f32]) -> f32;
        let forms: [Ratio; 3] = [
            |logits, gradient| ratio(logits, 1, gradient),
            |logits, gradient| ratio(logits, 3, gradient),
            |logits, gradient| ratio_to(logits, 4, 1, gradient),
        ];
        let logits = [0.5f32, 2.0, -1.0, 0.25, 1.0];
        for form in forms {
            let mut gradient = [0.0; 5];
            form(&logits, &mut gradient);
            for class in 0..5 {
                let at = |step: f32| {
                    let mut moved = logits;
                    moved[class] += step;
                    form(&moved, &mut [0.0; 5])
                };
                let expected = (at(1e-2) - at(-1e-2)) / 2e-2;
                assert!((gradient[class] - expected).abs() < 1e-3, "{class}: {} {expected}", gradient[class]);
            }
        }
        assert_eq!(ratio(&logits, 1, &mut [0.0; 5]), -1.0 / 1.5);
        assert_eq!(ratio_to(&logits, 4, 1, &mut [0.0; 5]), -1.0 / 1.625);
    }

    #[test]
    fn with_few_classes_the_difference_stands_for_the_ratio() {
        assert_eq!(ratio(&[1.0, 3.0], 0, &mut [0.0; 2]), 2.0);
        assert_eq!(ratio(&[1.0], 0, &mut [0.0]), 0.0);
        assert_eq!(ratio_to(&[1.0, 3.0, 0.0], 2, 0, &mut [0.0; 3]), -1.0);
        assert!(others(&[0.1, 0.4, 0.3], 1).eq([2, 0]));
    }
}
