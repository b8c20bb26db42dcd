use crucible_models::Classifier;

/// How the answers depend on one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialDependence {
    /// The feature.
    pub feature: usize,
    /// Its values that were tried.
    pub grid: Vec<f32>,
    /// The mean probability of each class with the feature at each value in all rows, `[grid, classes]`.
    pub mean: Vec<f64>,
    /// The probabilities of each row, `[n, grid, classes]`: individual conditional expectation.
    pub rows: Vec<f32>,
}

/// Sets `feature` to each value of `grid` in all rows of `inputs` `[n, features]`. The rows are taken as they are otherwise:
/// where features depend on each other, some of these rows cannot exist.
///
/// J. Friedman: Greedy function approximation, 2001; the single rows: A. Goldstein et al.: Peeking inside the black box,
/// 2015.
///
/// # Panics
///
/// If the feature does not exist.
#[must_use]
pub fn partial_dependence(
    model: &dyn Classifier,
    inputs: &[f32],
    feature: usize,
    grid: &[f32],
) -> PartialDependence {
    let (features, classes) = (model.features(), model.classes());
    assert!(feature < features, "feature {feature} of {features}");
    let count = inputs.len() / features;
    let mut mean = vec![0.0; grid.len() * classes];
    let mut rows = vec![0.0; count * grid.len() * classes];
    for (i, &value) in grid.iter().enumerate() {
        let mut moved = inputs.to_vec();
        moved.iter_mut().skip(feature).step_by(features).for_each(|at| *at = value);
        for (row, logits) in model.logits(&moved).chunks_exact(classes).enumerate() {
            for (class, probability) in probabilities(logits).into_iter().enumerate() {
                rows[(row * grid.len() + i) * classes + class] = probability as f32;
                mean[i * classes + class] += probability / count as f64;
            }
        }
    }
    PartialDependence { feature, grid: grid.to_vec(), mean, rows }
}

/// At most `count` values of a feature of `inputs` `[n, features]`, at evenly spread quantiles, each once.
#[must_use]
pub fn quantile_grid(inputs: &[f32], features: usize, feature: usize, count: usize) -> Vec<f32> {
    let mut values: Vec<f32> = inputs.iter().skip(feature).step_by(features).copied().collect();
    values.sort_by(f32::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = |i: usize| values.get(i * last / count.saturating_sub(1).max(1)).copied();
    let mut grid: Vec<f32> = (0..count).filter_map(at).collect();
    grid.dedup();
    grid
}

/// The softmax of a row.
pub(crate) fn probabilities(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - top).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}
