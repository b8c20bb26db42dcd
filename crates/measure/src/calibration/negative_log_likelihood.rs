use crate::interval::two_sided_z;
use crate::regression::{MeanError, mean_error};
use crate::rows::Rows;
use crate::softmax::log_sum_exp;

/// The mean of −ln of the label's probability, in nats, for probabilities `[examples, classes]`; `None` without examples.
///
/// A label of probability 0 makes it infinite: nothing is cut off. Of rounded probabilities that is easily so;
/// [`negative_log_likelihood_of_logits`] is not.
///
/// # Panics
///
/// If there is not one label below the number of classes per row, or `confidence` is not strictly between 0 and 1.
pub fn negative_log_likelihood(
    probabilities: Rows<'_>,
    labels: &[usize],
    confidence: f64,
) -> Option<MeanError> {
    let z = two_sided_z(confidence);
    let surprise = |(row, label): (&[f64], usize)| -row[label].ln();
    (!labels.is_empty()).then(|| mean_error(probabilities.labelled(labels).map(surprise), z))
}

/// [`negative_log_likelihood`] of the softmax of logits `[examples, classes]`.
///
/// # Panics
///
/// As [`negative_log_likelihood`] does.
pub fn negative_log_likelihood_of_logits(
    logits: Rows<'_>,
    labels: &[usize],
    confidence: f64,
) -> Option<MeanError> {
    let z = two_sided_z(confidence);
    let surprise = |(row, label): (&[f64], usize)| log_sum_exp(row.iter().copied()) - row[label];
    (!labels.is_empty()).then(|| mean_error(logits.labelled(labels).map(surprise), z))
}
