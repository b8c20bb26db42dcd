use super::{aps, threshold::ranked};

/// APS's scores, and `lambda` for each place of a class beyond the first `k_reg`.
///
/// Source: A. Angelopoulos, S. Bates, M. Jordan, J. Malik, "Uncertainty sets for image classifiers using conformal
/// prediction", ICLR 2021.
pub(super) fn scores(row: &[f64], draw: f64, lambda: f64, k_reg: usize) -> Vec<f64> {
    let mut scores = aps::scores(row, draw);
    for (place, class) in ranked(row).into_iter().enumerate() {
        scores[class] += lambda * (place + 1).saturating_sub(k_reg) as f64;
    }
    scores
}
