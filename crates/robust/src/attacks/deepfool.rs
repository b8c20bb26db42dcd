use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{Access, Adversarial, Batch, Norm, Threat, Victim, boundary, found::Found, loss, plane};
use crucible_models::Differentiable;

/// Steps to the nearest of the planes on which a linear model of the same slopes would change its mind, until this one does;
/// then back along the line to the clean input as far as it is still fooled.
///
/// An example that ends outside of the ball is moved to its surface and tried there.
///
/// S. Moosavi-Dezfooli et al.: DeepFool: a simple and accurate method to fool deep neural networks, 2016, algorithm 2, and
/// section 3.3 for other norms than L2; the valid range is part of each step, as in FAB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeepFool {
    /// Steps at most, each with one pass backward for each class.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// How far beyond the plane a step goes, as a share of the way.
    #[schemars(range(min = 0.0))]
    pub overshoot: f32,
    /// Classes whose planes are looked at, the likeliest for the clean input first; fewer where the model has not as many
    /// others.
    #[schemars(range(min = 1))]
    pub targets: u32,
}

impl Default for DeepFool {
    /// 50 steps, 2 % beyond the plane, 9 other classes, as in the paper.
    fn default() -> Self {
        Self { steps: 50, overshoot: 0.02, targets: 9 }
    }
}

/// Halvings of the way back: the distance is found to one part in a thousand.
const HALVINGS: u32 = 10;

/// The logits below which a step goes beyond the plane, as a share of the largest: the rounding of what a model computes.
const ROUNDING: f32 = 1e-5;

impl Attack for DeepFool {
    fn access(&self) -> Access {
        Access::Gradients
    }

    fn norms(&self) -> &'static [Norm] {
        &[Norm::Linf, Norm::L2]
    }

    fn run(&self, victim: Victim<'_>, batch: Batch<'_>, threat: &Threat, _: &mut ChaCha8Rng) -> Adversarial {
        let model = victim.gradients();
        let (features, classes) = (model.features(), model.classes());
        let mut found = Found::new(batch, threat, model);
        let targets = found.targets(self.targets);
        let mut open = found.open();
        let mut inputs: Vec<f32> = open.iter().flat_map(|&index| batch.input(index)).copied().collect();
        let (mut indices, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..self.steps {
            if open.is_empty() {
                break;
            }
            self.step(model, batch, threat, &mut found, &targets, &open, &mut inputs);
            let logits = found.ask(model, &inputs);
            let rows = inputs.chunks_exact(features).zip(logits.chunks_exact(classes));
            let (mut still, mut next) = (Vec::new(), Vec::new());
            for (&index, (input, logits)) in open.iter().zip(rows) {
                let right = loss::class(logits) == batch.labels[index] as usize;
                let (indices, ends) = if right { (&mut still, &mut next) } else { (&mut indices, &mut ends) };
                indices.push(index);
                ends.extend_from_slice(input);
            }
            (open, inputs) = (still, next);
        }
        let ends = boundary::bisect(&mut found, model, batch, threat.norm(), &indices, &ends, HALVINGS);
        for (&index, end) in indices.iter().zip(ends.chunks_exact(features)) {
            found.record_nearer(index, end);
        }
        indices.extend(open);
        boundary::try_surface(&mut found, model, batch, threat, &indices, &[ends, inputs].concat());
        found.finish()
    }
}

impl DeepFool {
    /// Moves each input to the nearest plane.
    #[expect(clippy::too_many_arguments, reason = "one step of `run`, over all that it holds")]
    fn step(
        &self,
        model: &dyn Differentiable,
        batch: Batch<'_>,
        threat: &Threat,
        found: &mut Found<'_>,
        targets: &[Vec<usize>],
        open: &[usize],
        inputs: &mut [f32],
    ) {
        let features = model.features();
        let mut nearest = vec![(f64::INFINITY, Vec::new()); open.len()];
        for towards in targets {
            let mut sizes = vec![0.0f32; open.len()];
            let (slope, _) = found.slope(model, inputs, &mut |row, logits, weights| {
                let index = open[row];
                sizes[row] = logits.iter().fold(0.0, |size, logit| size.max(logit.abs()));
                loss::difference(logits, towards[index], batch.labels[index] as usize, weights)
            });
            let rows = inputs.chunks_exact(features).zip(slope.gradients.chunks_exact(features));
            for (row, (input, gradient)) in rows.enumerate() {
                let value = slope.losses[row];
                let rise = f64::from(-value * (1.0 + self.overshoot) + ROUNDING * sizes[row]);
                if !rise.is_finite() || gradient.iter().all(|value| *value == 0.0) {
                    continue;
                }
                let change = plane::towards(threat.norm(), input, gradient, rise, threat.range());
                // Where the range leaves no room for the whole rise, the plane is as much farther.
                let moved = gradient.iter().zip(&change).map(|(g, c)| f64::from(*g) * f64::from(*c));
                let reached = (moved.sum::<f64>() / rise).clamp(1e-9, 1.0);
                let distance = threat.norm().of(change.iter().copied()) / reached;
                if distance < nearest[row].0 {
                    nearest[row] = (distance, change);
                }
            }
        }
        let [low, high] = threat.range();
        for (input, (_, change)) in inputs.chunks_exact_mut(features).zip(nearest) {
            for (value, change) in input.iter_mut().zip(change) {
                *value = (*value + change).clamp(low, high);
            }
        }
    }
}
