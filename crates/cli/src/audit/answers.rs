//! What a model answers on a split, as the arrays that measurements take.

use crucible_measure::{Proportion, Rows, argmax};

/// Probabilities and labels.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    /// `[examples, classes]`.
    probabilities: Vec<f64>,
    classes: usize,
    /// `[examples]`.
    pub(crate) labels: Vec<usize>,
}

impl Answers {
    pub(crate) fn new(probabilities: Vec<f64>, classes: usize, labels: Vec<usize>) -> Self {
        Self { probabilities, classes, labels }
    }

    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows::new(&self.probabilities, self.classes)
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The most probable class of each example, the first of equals.
    pub(crate) fn classes(&self) -> Vec<usize> {
        self.rows().iter().map(argmax).collect()
    }

    /// Whether each is right.
    pub(crate) fn right(&self) -> Vec<bool> {
        self.classes().iter().zip(&self.labels).map(|(answer, label)| answer == label).collect()
    }

    pub(crate) fn accuracy(&self) -> Proportion {
        let right = self.right().into_iter().filter(|right| *right).count();
        Proportion { successes: right as u64, trials: self.len() as u64 }
    }

    /// Those at these places.
    pub(crate) fn select(&self, indices: &[usize]) -> Self {
        let rows = self.rows();
        Self {
            probabilities: indices.iter().flat_map(|index| rows.row(*index)).copied().collect(),
            classes: self.classes,
            labels: indices.iter().map(|index| self.labels[*index]).collect(),
        }
    }

    /// The logarithms of the probabilities: logits, up to a number for each example.
    pub(crate) fn logits(&self) -> Vec<f64> {
        self.probabilities.iter().map(|p| p.max(f64::from(f32::MIN_POSITIVE)).ln()).collect()
    }
}
