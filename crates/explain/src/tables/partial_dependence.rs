use crucible_models::Classifier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ExplainError, error::at_least};

/// The settings of partial dependence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PartialDependence {
    /// Values of a numeric column that are tried, at evenly spread quantiles.
    #[schemars(range(min = 2))]
    pub points: usize,
}

impl Default for PartialDependence {
    fn default() -> Self {
        Self { points: 20 }
    }
}

impl PartialDependence {
    pub(crate) fn check(&self) -> Result<(), ExplainError> {
        at_least("points", self.points, 2)
    }
}

/// How the answers depend on one column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependence {
    /// The features of the column.
    pub columns: Vec<usize>,
    /// Their values that were tried, `[points, columns]`.
    pub grid: Vec<f32>,
    /// The mean probability of each class with these values in all rows, `[points, classes]`.
    pub mean: Vec<f64>,
    /// The probabilities of each row, `[n, points, classes]`: individual conditional expectation.
    pub rows: Vec<f32>,
}

/// Sets features (`columns`: a single one, or the one-hot values of one category) to each point of `grid`
/// `[points, columns]` in all rows of `inputs` `[n, features]`. The rows are taken as they are otherwise: where features
/// depend on each other, some of these rows cannot exist.
///
/// J. Friedman: Greedy function approximation, 2001; the single rows: A. Goldstein et al.: Peeking inside the black box,
/// 2015.
///
/// # Panics
///
/// If there are no columns, one does not exist, or the points are not whole.
#[must_use]
pub fn partial_dependence(
    model: &dyn Classifier,
    inputs: &[f32],
    columns: &[usize],
    grid: &[f32],
) -> Dependence {
    let (features, classes) = (model.features(), model.classes());
    assert!(columns.iter().all(|&column| column < features), "columns {columns:?} of {features}");
    assert_eq!(grid.len() % columns.len(), 0, "a value for each column");
    let (count, points) = (inputs.len() / features, grid.len() / columns.len());
    let mut mean = vec![0.0; points * classes];
    let mut rows = vec![0.0; count * points * classes];
    for (i, point) in grid.chunks_exact(columns.len()).enumerate() {
        let mut moved = inputs.to_vec();
        for row in moved.chunks_exact_mut(features) {
            columns.iter().zip(point).for_each(|(&column, &value)| row[column] = value);
        }
        for (row, logits) in model.logits(&moved).chunks_exact(classes).enumerate() {
            for (class, probability) in probabilities(logits).into_iter().enumerate() {
                rows[(row * points + i) * classes + class] = probability as f32;
                mean[i * classes + class] += probability / count as f64;
            }
        }
    }
    Dependence { columns: columns.to_vec(), grid: grid.to_vec(), mean, rows }
}

/// At most `count` of the different values of a feature of `inputs` `[n, features]`, at evenly spread quantiles of them.
#[must_use]
pub fn quantile_grid(inputs: &[f32], features: usize, feature: usize, count: usize) -> Vec<f32> {
    let mut values: Vec<f32> = inputs.iter().skip(feature).step_by(features).copied().collect();
    values.sort_by(f32::total_cmp);
    // First of all: a column that is mostly zero would else have few points beside it.
    values.dedup();
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
