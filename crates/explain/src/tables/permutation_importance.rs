use crucible_models::Classifier;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ExplainError, draws::order, error::at_least};

/// The settings of permutation importance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PermutationImportance {
    /// How often each column is shuffled.
    #[schemars(range(min = 1))]
    pub repeats: usize,
}

impl Default for PermutationImportance {
    fn default() -> Self {
        Self { repeats: 10 }
    }
}

impl PermutationImportance {
    pub(crate) fn check(&self) -> Result<(), ExplainError> {
        at_least("repeats", self.repeats, 1)
    }
}

/// What a model loses where a column no longer belongs to its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// The features that were shuffled together.
    pub columns: Vec<usize>,
    /// By how much the accuracy fell, once for each repetition.
    pub accuracy_drops: Vec<f64>,
    /// By how much the mean cross-entropy rose, in nats, once for each repetition.
    pub loss_rises: Vec<f64>,
}

impl Importance {
    /// Mean and standard deviation (divided by the count less one) of the drops in accuracy.
    #[must_use]
    pub fn accuracy_drop(&self) -> (f64, f64) {
        moments(&self.accuracy_drops)
    }

    /// The same of the rises in cross-entropy.
    #[must_use]
    pub fn loss_rise(&self) -> (f64, f64) {
        moments(&self.loss_rises)
    }
}

/// Shuffles groups of columns (`columns`: the features of each group, such as the one-hot values of one category) over the
/// rows of `inputs` `[n, features]` and tells by how much the accuracy on `labels` `[n]` falls, `repeats` times.
///
/// L. Breiman: Random forests, 2001; A. Fisher, C. Rudin, F. Dominici: All models are wrong, but many are useful, 2019.
/// scikit-learn's `permutation_importance`.
///
/// # Panics
///
/// If the lengths do not fit, or a feature or label does not exist.
#[must_use]
pub fn permutation_importance(
    model: &dyn Classifier,
    inputs: &[f32],
    labels: &[usize],
    columns: &[Vec<usize>],
    repeats: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<Importance> {
    let features = model.features();
    assert_eq!(inputs.len(), labels.len() * features, "one label for each row");
    let (accuracy, loss) = quality(model, inputs, labels);
    let importance = |columns: &Vec<usize>| {
        let (mut accuracy_drops, mut loss_rises) = (Vec::new(), Vec::new());
        for _ in 0..repeats {
            let mut shuffled = inputs.to_vec();
            for (row, from) in order(labels.len(), rng).into_iter().enumerate() {
                for &column in columns {
                    shuffled[row * features + column] = inputs[from * features + column];
                }
            }
            let (worse, more) = quality(model, &shuffled, labels);
            accuracy_drops.push(accuracy - worse);
            loss_rises.push(more - loss);
        }
        Importance { columns: columns.clone(), accuracy_drops, loss_rises }
    };
    columns.iter().map(importance).collect()
}

/// Accuracy and mean cross-entropy; zero for no rows.
fn quality(model: &dyn Classifier, inputs: &[f32], labels: &[usize]) -> (f64, f64) {
    let logits = model.logits(inputs);
    let (mut right, mut loss) = (0.0, 0.0);
    for (row, &label) in logits.chunks_exact(model.classes()).zip(labels) {
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let first = row.iter().position(|&logit| logit == top);
        right += f64::from(u8::from(first == Some(label)));
        let total: f64 = row.iter().map(|&logit| f64::from(logit - top).exp()).sum();
        loss += total.ln() - f64::from(row[label] - top);
    }
    let count = labels.len().max(1) as f64;
    (right / count, loss / count)
}

fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}
