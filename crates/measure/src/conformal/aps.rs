use super::threshold::ranked;

/// The probabilities of each class and of all more probable ones, less a share `draw` of its own.
///
/// Source: Y. Romano, M. Sesia, E. Candès, "Classification with valid and adaptive coverage", NeurIPS 2020.
pub(super) fn scores(row: &[f64], draw: f64) -> Vec<f64> {
    let mut scores = vec![0.0; row.len()];
    let mut sum = 0.0;
    for class in ranked(row) {
        sum += row[class];
        scores[class] = sum - draw * row[class];
    }
    scores
}
