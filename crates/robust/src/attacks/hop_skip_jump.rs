use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{
    Access, Adversarial, Batch, Norm, Threat, Victim, boundary, draws::Draws, found::Found, loss,
    threat::normal, walk,
};
use crucible_models::Classifier;

/// Asks for decisions only: from an input of another class to the boundary, which way the boundary lies from random changes
/// there, a step, and back to the boundary. Ends when it is within ε.
///
/// It begins at the nearest other example of the batch that the model takes for another class, or at noise where there is
/// none.
///
/// J. Chen et al.: HopSkipJumpAttack: a query-efficient decision-based attack, 2020, algorithm 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HopSkipJump {
    /// Steps along the boundary.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// Random changes for the first step; the square root of the step's number times as many for each.
    #[schemars(range(min = 2))]
    pub changes: u32,
    /// Questions to the model, after which no further step is begun for an example.
    #[schemars(range(min = 1))]
    pub queries: u32,
}

impl Default for HopSkipJump {
    /// 50 steps, 100 changes at first, at most 10000 queries, as in the paper.
    fn default() -> Self {
        Self { steps: 50, changes: 100, queries: 10_000 }
    }
}

/// Random inputs that are tried as a start.
const NOISE: usize = 100;

/// Halvings of a step that does not fool.
const HALVINGS: u32 = 30;

impl Attack for HopSkipJump {
    fn access(&self) -> Access {
        Access::Decisions
    }

    fn norms(&self) -> &'static [Norm] {
        &[Norm::Linf, Norm::L2]
    }

    fn run(
        &self,
        victim: Victim<'_>,
        batch: Batch<'_>,
        threat: &Threat,
        rng: &mut ChaCha8Rng,
    ) -> Adversarial {
        let model = victim.scores();
        let draws = Draws::new(rng);
        let mut found = Found::new(batch, threat, model);
        let classes: Vec<usize> =
            (0..batch.len()).map(|index| loss::class(found.clean_logits(index))).collect();
        for index in found.open() {
            let mut hunt = Hunt { model, batch, threat, index, found: &mut found, rng: draws.of(index, 0) };
            if let Some(start) = hunt.start(&classes) {
                hunt.walk(self, start);
            }
        }
        found.finish()
    }
}

/// The search for one example.
struct Hunt<'a, 'b> {
    model: &'a dyn Classifier,
    batch: Batch<'a>,
    threat: &'a Threat,
    index: usize,
    found: &'b mut Found<'a>,
    rng: ChaCha8Rng,
}

impl Hunt<'_, '_> {
    fn clean(&self) -> &[f32] {
        self.batch.input(self.index)
    }

    /// Whether each of `inputs` fools the model.
    fn fools(&mut self, inputs: &[f32]) -> Vec<bool> {
        let label = self.batch.labels[self.index] as usize;
        let logits = self.found.ask(self.model, inputs);
        logits.chunks_exact(self.model.classes()).map(|logits| loss::class(logits) != label).collect()
    }

    /// An input of another class: `classes` are those that the model says of the batch.
    fn start(&mut self, classes: &[usize]) -> Option<Vec<f32>> {
        let (norm, label) = (self.threat.norm(), self.batch.labels[self.index] as usize);
        let others = (0..classes.len()).filter(|&other| classes[other] != label).map(|i| self.batch.input(i));
        let distance = |input: &[f32]| norm.distance(input, self.clean());
        if let Some(nearest) = others.min_by(|a, b| distance(a).total_cmp(&distance(b))) {
            return Some(nearest.to_vec());
        }
        let [low, high] = self.threat.range();
        let features = self.model.features();
        let noise: Vec<f32> = (0..NOISE * features).map(|_| self.rng.random_range(low..=high)).collect();
        let fooling = self.fools(&noise).into_iter().position(|fools| fools)?;
        Some(noise[fooling * features..][..features].to_vec())
    }

    /// To the boundary and along it.
    fn walk(&mut self, config: &HopSkipJump, start: Vec<f32>) {
        let (norm, mut used) = (self.threat.norm(), 0u64);
        let mut point = self.back_to_boundary(&start);
        for step in 1..=config.steps {
            if !self.found.stands(self.index) || used >= u64::from(config.queries) {
                break;
            }
            let distance = norm.distance(&point, self.clean());
            let [low, high] = self.threat.range();
            // The paper's δ, √d·θ·distance for L2 and d·θ·distance for L∞, is this for both.
            let radius = match step {
                1 => 0.1 * (high - low),
                _ => (distance / point.len() as f64) as f32,
            };
            let changes = (f64::from(config.changes) * f64::from(step).sqrt()) as u32;
            let direction = self.direction(&point, radius, changes.max(2) as usize);
            used += u64::from(changes) + 20;
            let mut length = (distance / f64::from(step).sqrt()) as f32;
            for _ in 0..HALVINGS {
                let mut next = point.clone();
                walk::step(norm, &mut next, &direction, length);
                next.iter_mut().for_each(|value| *value = value.clamp(low, high));
                used += 1;
                if self.fools(&next)[0] {
                    let next = self.back_to_boundary(&next);
                    if norm.distance(&next, self.clean()) < distance {
                        point = next;
                    }
                    break;
                }
                length /= 2.0;
            }
        }
    }

    /// Back towards the clean input as far as it still fools; noted.
    fn back_to_boundary(&mut self, point: &[f32]) -> Vec<f32> {
        // The paper's θ is 1 / d^1.5.
        let rounds = (1.5 * (point.len() as f64).log2()).ceil().clamp(10.0, 24.0) as u32;
        let (model, norm, indices) = (self.model, self.threat.norm(), [self.index]);
        let point = boundary::bisect(self.found, model, self.batch, norm, &indices, point, rounds);
        self.found.record_nearer(self.index, &point);
        point
    }

    /// The direction away from the true class, from the model's decisions on `changes` random changes of length `radius`.
    fn direction(&mut self, point: &[f32], radius: f32, changes: usize) -> Vec<f32> {
        let (norm, features) = (self.threat.norm(), point.len());
        let [low, high] = self.threat.range();
        let mut tried = Vec::with_capacity(changes * features);
        for _ in 0..changes {
            let mut change: Vec<f32> = match norm {
                Norm::Linf => (0..features).map(|_| self.rng.random_range(-1.0..=1.0)).collect(),
                _ => (0..features).map(|_| normal(&mut self.rng)).collect(),
            };
            let length = Norm::L2.of(change.iter().copied()).max(f64::MIN_POSITIVE) as f32;
            change.iter_mut().for_each(|value| *value *= radius / length);
            tried.extend(point.iter().zip(change).map(|(point, change)| (point + change).clamp(low, high)));
        }
        let fools = self.fools(&tried);
        let mean = 2.0 * fools.iter().filter(|fools| **fools).count() as f32 / changes as f32 - 1.0;
        // All on one side: the mean change, or away from it.
        let base = if mean.abs() < 1.0 { mean } else { 0.0 };
        let mut direction = vec![0.0; features];
        for (change, fools) in tried.chunks_exact(features).zip(fools) {
            let weight = if fools { 1.0 } else { -1.0 } - base;
            let change = change.iter().zip(point);
            direction
                .iter_mut()
                .zip(change)
                .for_each(|(sum, (change, point))| *sum += weight * (change - point));
        }
        direction
    }
}
