//! What an attack has found so far.

use crucible_measure::Proportion;
use crucible_models::{Classifier, Differentiable};

use crate::{Batch, Threat, Warning, loss};

/// What an attack leaves.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// What makes the result worth less than it seems.
    pub warnings: Vec<Warning>,
    /// For an ensemble, what each attack left, in order.
    pub stages: Vec<Stage>,
    /// `[features]`: for an attack with one change for all inputs, the change before inputs are cut to the valid range.
    pub change: Option<Vec<f32>>,
}

/// One attack of an ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub attack: &'static str,
    /// Examples that stood before it.
    pub before: u64,
    /// Examples that stand after it.
    pub after: u64,
}

impl Adversarial {
    /// Share of examples that the model still gets right; none without examples.
    #[must_use]
    pub fn robust(&self) -> Proportion {
        standing(&self.fooled)
    }

    /// The input of example `index`.
    #[must_use]
    pub fn input(&self, index: usize) -> &[f32] {
        let features = self.inputs.len() / self.fooled.len();
        &self.inputs[index * features..][..features]
    }
}

/// The share of examples that are not fooled.
pub(crate) fn standing(fooled: &[bool]) -> Proportion {
    let successes = fooled.iter().filter(|fooled| !**fooled).count() as u64;
    Proportion { successes, trials: fooled.len() as u64 }
}

/// The loss that an attack climbs, asked for row `row` of what it tries: from logits to its value and, in the last
/// argument (zeros before), its gradient by the logits.
pub(crate) type Loss<'a> = &'a mut dyn FnMut(usize, &[f32], &mut [f32]) -> f32;

/// A loss's values `[n]`, and its gradients by the inputs `[n, features]`, zero where they are not finite.
pub(crate) struct Slope {
    pub(crate) losses: Vec<f32>,
    pub(crate) gradients: Vec<f32>,
}

/// The best input of each example so far. What once fooled the model is kept, whatever the attack tries after: more
/// steps can never report more robustness.
pub(crate) struct Found<'a> {
    batch: Batch<'a>,
    threat: &'a Threat,
    features: usize,
    classes: usize,
    result: Adversarial,
    /// The logits of the clean inputs.
    clean: Vec<f32>,
    /// The loss of the input that is kept.
    losses: Vec<f32>,
    /// Where it fools, how far it is from the clean one.
    distances: Vec<f64>,
}

impl<'a> Found<'a> {
    /// Begins with the clean inputs.
    pub(crate) fn new(batch: Batch<'a>, threat: &'a Threat, model: &(impl Classifier + ?Sized)) -> Self {
        let clean = model.logits(batch.inputs);
        let result = Adversarial {
            inputs: batch.inputs.to_vec(),
            fooled: vec![false; batch.len()],
            ..Adversarial::default()
        };
        let mut found = Self {
            batch,
            threat,
            features: model.features(),
            classes: model.classes(),
            result,
            clean: Vec::new(),
            losses: vec![f32::NEG_INFINITY; batch.len()],
            distances: vec![0.0; batch.len()],
        };
        found.count(batch.len(), 0);
        let all: Vec<usize> = (0..batch.len()).collect();
        found.record(&all, batch.inputs, &clean);
        found.clean = clean;
        found
    }

    /// Whether the model still gets example `index` right.
    pub(crate) fn stands(&self, index: usize) -> bool {
        !self.result.fooled[index]
    }

    /// The examples that still stand.
    pub(crate) fn open(&self) -> Vec<usize> {
        (0..self.batch.len()).filter(|&index| self.stands(index)).collect()
    }

    /// The logits of the clean input of example `index`.
    pub(crate) fn clean_logits(&self, index: usize) -> &[f32] {
        &self.clean[index * self.classes..][..self.classes]
    }

    /// Notes how many examples passed through the model.
    pub(crate) fn count(&mut self, forwards: usize, backwards: usize) {
        self.result.forwards += forwards as u64;
        self.result.backwards += backwards as u64;
    }

    /// Notes a reason to doubt the result.
    pub(crate) fn warn(&mut self, warning: Warning) {
        self.result.warnings.push(warning);
    }

    /// Classes to move towards: the likeliest other than the true one for each example's clean input, then the second for
    /// each, and so on, `count` times or until there are no others.
    pub(crate) fn targets(&self, count: u32) -> Vec<Vec<usize>> {
        let count = (count as usize).min(self.classes.saturating_sub(1));
        let mut targets = vec![Vec::with_capacity(self.batch.len()); count];
        for (logits, label) in self.clean.chunks_exact(self.classes).zip(self.batch.labels) {
            let others = loss::others(logits, *label as usize);
            targets.iter_mut().zip(others).for_each(|(targets, other)| targets.push(other));
        }
        targets
    }

    /// The logits of any `inputs`; only the passes are noted.
    pub(crate) fn ask(&mut self, model: &(impl Classifier + ?Sized), inputs: &[f32]) -> Vec<f32> {
        self.count(inputs.len() / self.features, 0);
        model.logits(inputs)
    }

    /// The logits of `inputs`, which lie in the ball and are tried for the examples `indices`.
    pub(crate) fn try_out(
        &mut self,
        model: &(impl Classifier + ?Sized),
        indices: &[usize],
        inputs: &[f32],
    ) -> Vec<f32> {
        let logits = self.ask(model, inputs);
        self.record(indices, inputs, &logits);
        logits
    }

    /// The slope of `loss` at `inputs`, which lie in the ball and are tried for the examples `indices`.
    pub(crate) fn climb(
        &mut self,
        model: &dyn Differentiable,
        indices: &[usize],
        inputs: &[f32],
        loss: Loss<'_>,
    ) -> Slope {
        let (slope, logits) = self.slope(model, inputs, loss);
        self.record(indices, inputs, &logits);
        slope
    }

    /// The slope of `loss` at any `inputs`, and their logits; only the passes are noted.
    pub(crate) fn slope(
        &mut self,
        model: &dyn Differentiable,
        inputs: &[f32],
        loss: Loss<'_>,
    ) -> (Slope, Vec<f32>) {
        let classes = self.classes;
        let mut losses = Vec::with_capacity(inputs.len() / self.features);
        let mut pulled = model.pull_back(inputs, &mut |first, logits| {
            let mut weights = vec![0.0; logits.len()];
            let rows = logits.chunks_exact(classes).zip(weights.chunks_exact_mut(classes));
            losses.extend((first..).zip(rows).map(|(row, (logits, weights))| loss(row, logits, weights)));
            weights
        });
        self.count(losses.len(), losses.len());
        pulled.gradient.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = 0.0);
        (Slope { losses, gradients: pulled.gradient }, pulled.logits)
    }

    /// Takes another attack's result for the examples `indices`, whose inputs the model is asked about again.
    pub(crate) fn take(
        &mut self,
        model: &(impl Classifier + ?Sized),
        indices: &[usize],
        result: Adversarial,
    ) {
        self.try_out(model, indices, &result.inputs);
        self.count(result.forwards as usize, result.backwards as usize);
        self.result.warnings.extend(result.warnings);
        self.result.stages.extend(result.stages);
        self.result.change = result.change;
    }

    /// Notes what one attack of an ensemble left.
    pub(crate) fn stage(&mut self, stage: Stage) {
        self.result.stages.push(stage);
    }

    /// Takes what the model said (`logits`) of `inputs` in the ball, tried for the examples `indices`.
    fn record(&mut self, indices: &[usize], inputs: &[f32], logits: &[f32]) {
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
                self.keep(index, input, loss, fooled);
            }
        }
    }

    /// Takes an `input` at any distance that fools the model for example `index`: it is kept if it lies in the ball and
    /// nearer than the one that is kept.
    pub(crate) fn record_nearer(&mut self, index: usize, input: &[f32]) {
        let clean = self.batch.input(index);
        let distance = self.threat.norm().distance(input, clean);
        let nearer = !self.result.fooled[index] || distance < self.distances[index];
        if nearer && self.threat.holds(clean, input) {
            self.keep(index, input, f32::INFINITY, true);
        }
    }

    fn keep(&mut self, index: usize, input: &[f32], loss: f32, fooled: bool) {
        self.result.inputs[index * self.features..][..self.features].copy_from_slice(input);
        self.losses[index] = loss;
        self.result.fooled[index] = fooled;
        if fooled {
            self.distances[index] = self.threat.norm().distance(input, self.batch.input(index));
        }
    }

    /// What was found.
    pub(crate) fn finish(self) -> Adversarial {
        self.result
    }
}
