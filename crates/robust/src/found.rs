//! What an attack has found so far.

use crucible_models::Classifier;

use crate::{Batch, loss};

/// What an attack leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Adversarial {
    /// `[n, features]`: an input that fools the model where one was found (the clean one where that does already), else
    /// the worst that was tried.
    pub inputs: Vec<f32>,
    /// Whether the model takes it for another class than the true one.
    pub fooled: Vec<bool>,
    /// Examples that passed forward through the model.
    pub forwards: u64,
    /// Examples that passed backward.
    pub backwards: u64,
}

impl Adversarial {
    /// Share of examples that the model still gets right; none without examples.
    #[must_use]
    pub fn robust(&self) -> crucible_measure::Proportion {
        let successes = self.fooled.iter().filter(|fooled| !**fooled).count() as u64;
        crucible_measure::Proportion { successes, trials: self.fooled.len() as u64 }
    }
}

/// The best input of each example so far. What once fooled the model is kept, whatever the attack tries after: more
/// steps can never report more robustness.
pub(crate) struct Found<'a> {
    batch: Batch<'a>,
    features: usize,
    classes: usize,
    result: Adversarial,
    /// The loss of the input that is kept.
    losses: Vec<f32>,
}

impl<'a> Found<'a> {
    /// Begins with the clean inputs.
    pub(crate) fn new(batch: Batch<'a>, model: &(impl Classifier + ?Sized)) -> Self {
        let (features, classes) = (model.features(), model.classes());
        let fooled = vec![false; batch.len()];
        let result = Adversarial { inputs: batch.inputs.to_vec(), fooled, forwards: 0, backwards: 0 };
        let mut found =
            Self { batch, features, classes, result, losses: vec![f32::NEG_INFINITY; batch.len()] };
        let all: Vec<usize> = (0..batch.len()).collect();
        found.count(all.len(), 0);
        found.record(&all, batch.inputs, &model.logits(batch.inputs));
        found
    }

    /// The examples that still stand.
    pub(crate) fn open(&self) -> Vec<usize> {
        (0..self.batch.len()).filter(|&index| !self.result.fooled[index]).collect()
    }

    /// Notes how many examples passed through the model.
    pub(crate) fn count(&mut self, forwards: usize, backwards: usize) {
        self.result.forwards += forwards as u64;
        self.result.backwards += backwards as u64;
    }

    /// Takes what the model said (`logits`) of `inputs`, tried for the examples `indices`.
    pub(crate) fn record(&mut self, indices: &[usize], inputs: &[f32], logits: &[f32]) {
        let tried = inputs.chunks_exact(self.features).zip(logits.chunks_exact(self.classes));
        let mut scratch = vec![0.0; self.classes];
        for (&index, (input, logits)) in indices.iter().zip(tried) {
            let label = self.batch.labels[index] as usize;
            if self.result.fooled[index] {
                continue;
            }
            let fooled = loss::class(logits) != label;
            let loss = loss::cross_entropy(logits, label, &mut scratch);
            if fooled || loss > self.losses[index] {
                self.result.inputs[index * self.features..][..self.features].copy_from_slice(input);
                self.losses[index] = loss;
                self.result.fooled[index] = fooled;
            }
        }
    }

    /// What was found.
    pub(crate) fn finish(self) -> Adversarial {
        self.result
    }
}
