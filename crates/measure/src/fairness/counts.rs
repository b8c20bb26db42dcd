use serde::{Deserialize, Serialize};

use super::Groups;
use crate::interval::Proportion;

/// How often a yes-or-no model was right and wrong in one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Positives that were called so.
    pub true_positives: u64,
    /// Negatives that were called positive.
    pub false_positives: u64,
    /// Negatives that were called so.
    pub true_negatives: u64,
    /// Positives that were called negative.
    pub false_negatives: u64,
}

/// A share of outcomes by which groups are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Of all examples, those called positive.
    Selection,
    /// Of all examples, those that are positive: the base rate of the labels.
    Label,
    /// Of the positives, those called so; the recall.
    TruePositive,
    /// Of the negatives, those called positive.
    FalsePositive,
    /// Of the positives, those called negative.
    FalseNegative,
    /// Of those called positive, those that are; the positive predictive value.
    Precision,
    /// Of all examples, those called rightly.
    Accuracy,
}

impl Rate {
    /// The share of these outcomes.
    pub fn of(self, outcomes: &Outcomes) -> Proportion {
        let Outcomes { true_positives, false_positives, true_negatives, false_negatives } = *outcomes;
        let (positives, negatives) = (true_positives + false_negatives, false_positives + true_negatives);
        let called = true_positives + false_positives;
        let (successes, trials) = match self {
            Self::Selection => (called, positives + negatives),
            Self::Label => (positives, positives + negatives),
            Self::TruePositive => (true_positives, positives),
            Self::FalsePositive => (false_positives, negatives),
            Self::FalseNegative => (false_negatives, positives),
            Self::Precision => (true_positives, called),
            Self::Accuracy => (true_positives + true_negatives, positives + negatives),
        };
        Proportion { successes, trials }
    }
}

/// What a model does in each group, from whether each example is positive and whether it is called so.
///
/// # Panics
///
/// If the three differ in their number of examples.
pub fn count_outcomes(groups: &Groups, actual: &[bool], predicted: &[bool]) -> Vec<Outcomes> {
    assert_eq!(actual.len(), groups.len(), "a label for each example");
    assert_eq!(predicted.len(), groups.len(), "an answer for each example");
    let mut counts = vec![Outcomes::default(); groups.count()];
    for ((group, actual), predicted) in groups.labels().iter().zip(actual).zip(predicted) {
        let counts = &mut counts[*group];
        let cell = match (actual, predicted) {
            (true, true) => &mut counts.true_positives,
            (false, true) => &mut counts.false_positives,
            (false, false) => &mut counts.true_negatives,
            (true, false) => &mut counts.false_negatives,
        };
        *cell += 1;
    }
    counts
}

/// The labels of each group as outcomes of a model that is always right, so that [`Rate::Label`] and [`Rate::Selection`]
/// are the share of positive labels: whether data are fair before any model is.
///
/// # Panics
///
/// If the two differ in their number of examples.
pub fn count_labels(groups: &Groups, actual: &[bool]) -> Vec<Outcomes> {
    count_outcomes(groups, actual, actual)
}

/// Whether each class is the one asked for: of many classes, one against the rest.
pub fn one_against_rest(classes: &[usize], class: usize) -> Vec<bool> {
    classes.iter().map(|other| *other == class).collect()
}
