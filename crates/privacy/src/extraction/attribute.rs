use crucible_models::Classifier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{PrivacyError, membership::confidence};

/// Attribute inference: who knows an example but for one column, and its label, guesses the column's value as the one with
/// which the model's loss on the label is least.
///
/// Guessing right more often than by the most frequent value says that the model knows how the column and the label hang
/// together, as it is meant to; guessing right more often for training examples than for others says that it knows *them*.
///
/// M. Fredrikson et al.: Privacy in pharmacogenetics, 2014 (USENIX Security), figure 2; S. Yeom, I. Giacomelli,
/// M. Fredrikson, S. Jha: Privacy risk in machine learning, 2018 (arXiv:1709.01604), section 4.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Attribute {}

impl Attribute {
    /// There is nothing to refuse.
    pub(super) fn check(&self) -> Result<(), PrivacyError> {
        Ok(())
    }
}

/// For each row of `inputs` `[n, features]` with its label `[n]`, the index of the value of `values` (each `[columns]`:
/// what stands in the features `columns` of a row with this value) with which the model's loss on the label is least; the
/// first of equals, so that the more frequent values belong first.
///
/// # Panics
///
/// If there are no values, a column or label does not exist, or the lengths do not fit.
#[must_use]
pub fn infer_attribute(
    model: &dyn Classifier,
    inputs: &[f32],
    labels: &[u32],
    columns: &[usize],
    values: &[Vec<f32>],
) -> Vec<usize> {
    let (features, classes) = (model.features(), model.classes());
    assert_eq!(inputs.len(), labels.len() * features, "one label for each row");
    assert!(
        !values.is_empty() && values.iter().all(|value| value.len() == columns.len()),
        "values of the column"
    );
    let mut best = vec![(f64::NEG_INFINITY, 0); labels.len()];
    for (index, value) in values.iter().enumerate() {
        let mut moved = inputs.to_vec();
        for row in moved.chunks_exact_mut(features) {
            columns.iter().zip(value).for_each(|(&column, &value)| row[column] = value);
        }
        let logits = model.logits(&moved);
        for ((best, &label), row) in best.iter_mut().zip(labels).zip(logits.chunks_exact(classes)) {
            let row: Vec<f64> = row.iter().map(|logit| f64::from(*logit)).collect();
            // The loss falls as the confidence rises.
            let sure = confidence(&row, label as usize);
            if sure > best.0 {
                *best = (sure, index);
            }
        }
    }
    best.into_iter().map(|(_, index)| index).collect()
}
