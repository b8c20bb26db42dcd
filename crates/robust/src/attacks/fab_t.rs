use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{
    Access, Adversarial, Batch, Norm, Threat, Victim, boundary, found::Found, found::Loss, loss, plane,
};

/// Looks for the nearest input that fools the model: steps to where a linear model of the same slope would change its mind,
/// pulled towards the clean input; after each success part of the way back.
///
/// Towards one class after another, from the likeliest other down; an example that is fooled within the ball is not tried
/// for the next class.
///
/// F. Croce, M. Hein: Minimally distorted adversarial examples with a fast adaptive boundary attack, 2020, algorithm 1,
/// targeted as in AutoAttack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FabT {
    /// Steps for each class.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// Classes to move towards, the likeliest for the clean input first; fewer where the model has not as many others.
    #[schemars(range(min = 1))]
    pub targets: u32,
    /// The largest share of a step from the clean input instead of from the last.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub bias: f32,
    /// How far beyond the plane a step goes, as a factor.
    #[schemars(range(min = 1.0))]
    pub overshoot: f32,
    /// After a success, the share of the distance to the clean input that is kept.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub backward: f32,
}

impl Default for FabT {
    /// 100 steps towards each of 9 classes, as in AutoAttack.
    fn default() -> Self {
        Self { steps: 100, targets: 9, bias: 0.1, overshoot: 1.05, backward: 0.9 }
    }
}

impl Attack for FabT {
    fn access(&self) -> Access {
        Access::Gradients
    }

    fn norms(&self) -> &'static [Norm] {
        &Norm::ALL
    }

    fn run(&self, victim: Victim<'_>, batch: Batch<'_>, threat: &Threat, _: &mut ChaCha8Rng) -> Adversarial {
        let model = victim.gradients();
        let mut found = Found::new(batch, threat, model);
        for towards in found.targets(self.targets) {
            let open = found.open();
            if open.is_empty() {
                break;
            }
            let mut loss = |row: usize, logits: &[f32], weights: &mut [f32]| {
                let index = open[row];
                loss::difference(logits, towards[index], batch.labels[index] as usize, weights)
            };
            self.approach(model, batch, threat, &mut found, &open, &mut loss);
        }
        found.finish()
    }
}

impl FabT {
    /// Steps towards where `loss`, the difference between two logits, is zero.
    fn approach(
        &self,
        model: &dyn crucible_models::Differentiable,
        batch: Batch<'_>,
        threat: &Threat,
        found: &mut Found<'_>,
        open: &[usize],
        loss: Loss<'_>,
    ) {
        let features = model.features();
        let mut inputs: Vec<f32> = open.iter().flat_map(|&index| batch.input(index)).copied().collect();
        for _ in 0..self.steps {
            let (slope, _) = found.slope(model, &inputs, loss);
            let rows = inputs.chunks_exact_mut(features).zip(slope.gradients.chunks_exact(features));
            for ((&index, (input, gradient)), &value) in open.iter().zip(rows).zip(&slope.losses) {
                self.step(threat, batch.input(index), input, gradient, value);
            }
            let logits = found.ask(model, &inputs);
            let rows = inputs.chunks_exact_mut(features).zip(logits.chunks_exact(model.classes()));
            for (&index, (input, logits)) in open.iter().zip(rows) {
                if loss::class(logits) != batch.labels[index] as usize {
                    found.record_nearer(index, input);
                    let clean = batch.input(index);
                    input.copy_from_slice(&boundary::straight(clean, input, self.backward));
                }
            }
        }
    }

    fn step(&self, threat: &Threat, clean: &[f32], input: &mut [f32], gradient: &[f32], value: f32) {
        let (norm, range) = (threat.norm(), threat.range());
        let between = gradient.iter().zip(input.iter().zip(clean));
        let apart: f64 = between.map(|(g, (x, clean))| f64::from(*g) * f64::from(x - clean)).sum();
        let value = if value.is_finite() { f64::from(value) } else { 0.0 };
        let here = plane::towards(norm, input, gradient, -value, range);
        let there = plane::towards(norm, clean, gradient, apart - value, range);
        let size = |change: &[f32]| norm.of(change.iter().copied()).max(1e-8);
        let share = (size(&here) / (size(&here) + size(&there))).min(f64::from(self.bias)) as f32;
        let steps = here.iter().zip(&there);
        for ((value, clean), (here, there)) in input.iter_mut().zip(clean).zip(steps) {
            let (here, there) = (*value + self.overshoot * here, clean + self.overshoot * there);
            *value = ((1.0 - share) * here + share * there).clamp(range[0], range[1]);
        }
    }
}
