use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::classification::argmax;
use crate::rows::Rows;

/// Probabilities, each of an event of its own, and whether it happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecasts {
    probabilities: Vec<f64>,
    outcomes: Vec<bool>,
}

impl Forecasts {
    /// Takes one outcome for each probability; `None` where a probability does not lie in [0, 1], or is NaN, as a network
    /// that diverged may answer.
    ///
    /// # Panics
    ///
    /// If they differ in number.
    pub fn new(probabilities: Vec<f64>, outcomes: Vec<bool>) -> Option<Self> {
        assert_eq!(probabilities.len(), outcomes.len(), "one outcome per probability");
        let all = probabilities.iter().all(|p| (0.0..=1.0).contains(p));
        all.then_some(Self { probabilities, outcomes })
    }

    /// Of each example the probability of the most probable class, the first of equals, and whether that is its label;
    /// `None` as of [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// If there is not one label below the number of classes per row of `probabilities` `[examples, classes]`.
    pub fn top_label(probabilities: Rows<'_>, labels: &[usize]) -> Option<Self> {
        let answers = probabilities.labelled(labels).map(|(row, label)| {
            let answer = argmax(row);
            (row[answer], answer == label)
        });
        let (probabilities, outcomes) = answers.unzip();
        Self::new(probabilities, outcomes)
    }

    /// Of each example the probability of `class`, and whether that is its label; `None` as of [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// As [`top_label`](Self::top_label), and if there is no such class.
    pub fn of_class(probabilities: Rows<'_>, labels: &[usize], class: usize) -> Option<Self> {
        let answers = probabilities.labelled(labels).map(|(row, label)| (row[class], label == class));
        let (probabilities, outcomes) = answers.unzip();
        Self::new(probabilities, outcomes)
    }

    /// The forecasts at the indices, in their order, which may repeat.
    ///
    /// # Panics
    ///
    /// If there is no forecast at an index.
    pub fn at(&self, indices: &[usize]) -> Self {
        Self {
            probabilities: indices.iter().map(|i| self.probabilities[*i]).collect(),
            outcomes: indices.iter().map(|i| self.outcomes[*i]).collect(),
        }
    }

    /// Draws anew whether the events happen, each with its probability.
    pub(super) fn draw_outcomes(&mut self, rng: &mut ChaCha8Rng) {
        for (outcome, probability) in self.outcomes.iter_mut().zip(&self.probabilities) {
            *outcome = rng.random::<f64>() < *probability;
        }
    }

    /// Number of forecasts.
    pub fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// Each probability.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Whether each event happened.
    pub fn outcomes(&self) -> &[bool] {
        &self.outcomes
    }
}
