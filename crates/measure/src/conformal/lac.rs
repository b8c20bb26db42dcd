/// 1 − p of each class.
///
/// Source: M. Sadinle, J. Lei, L. Wasserman, "Least ambiguous set-valued classifiers with bounded error levels", JASA 114
/// (2019).
pub(super) fn scores(row: &[f64]) -> Vec<f64> {
    row.iter().map(|p| 1.0 - p).collect()
}
