use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{Access, Adversarial, Batch, Norm, Threat, Victim, found::Found, loss, walk};
use crucible_models::Differentiable;

/// One change for all inputs: PGD up the mean cross-entropy over the batch, that of each example cut off so that a few
/// cannot stand for all. The change that fools the most is kept, and left in `Adversarial::change`.
///
/// A. Shafahi et al.: Universal adversarial training, 2020, algorithm 1, with the whole batch in each step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Universal {
    /// Gradient steps.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// The length of a step, in units of ε.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f32,
    /// The cross-entropy beyond which an example adds no more.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub cut: f32,
}

impl Default for Universal {
    /// 100 steps of ε/10; losses are cut at 9, as by the paper's authors.
    fn default() -> Self {
        Self { steps: 100, step_size: 0.1, cut: 9.0 }
    }
}

impl Attack for Universal {
    fn access(&self) -> Access {
        Access::Gradients
    }

    fn norms(&self) -> &'static [Norm] {
        &Norm::ALL
    }

    fn shared(&self) -> bool {
        true
    }

    fn run(&self, victim: Victim<'_>, batch: Batch<'_>, threat: &Threat, _: &mut ChaCha8Rng) -> Adversarial {
        let model = victim.gradients();
        let mut found = Found::new(batch, threat, model);
        let open = found.open();
        let [low, high] = threat.range();
        let zeros = vec![0.0; model.features()];
        let Ok(around) = Threat::new(threat.norm(), threat.eps(), [low - high, high - low]) else {
            return found.finish();
        };
        let mut change = zeros.clone();
        let mut best = (0, f32::NEG_INFINITY, zeros.clone());
        let steps = if open.is_empty() { 0 } else { self.steps };
        for step in 0..=steps {
            let (fooled, loss, gradient) = self.look(model, batch, threat, &mut found, &open, &change);
            if (fooled, loss) > (best.0, best.1) {
                best = (fooled, loss, change.clone());
            }
            if step < steps {
                walk::step(threat.norm(), &mut change, &gradient, self.step_size * threat.eps());
                around.project(&zeros, &mut change);
            }
        }
        let inputs = moved(batch, threat, &open, &best.2);
        found.try_out(model, &open, &inputs);
        Adversarial { change: Some(best.2), ..found.finish() }
    }
}

impl Universal {
    /// How many of the examples `open` a change fools, their mean loss, and its gradient.
    fn look(
        &self,
        model: &dyn Differentiable,
        batch: Batch<'_>,
        threat: &Threat,
        found: &mut Found<'_>,
        open: &[usize],
        change: &[f32],
    ) -> (usize, f32, Vec<f32>) {
        let inputs = moved(batch, threat, open, change);
        let mut fooled = 0;
        let (slope, _) = found.slope(model, &inputs, &mut |row, logits, weights| {
            let label = batch.labels[open[row]] as usize;
            fooled += usize::from(loss::class(logits) != label);
            let loss = loss::cross_entropy(logits, label, weights);
            if loss > self.cut {
                weights.fill(0.0);
            }
            loss.min(self.cut)
        });
        let mut gradient = vec![0.0; model.features()];
        for row in slope.gradients.chunks_exact(model.features()) {
            gradient.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        (fooled, slope.losses.iter().sum::<f32>() / open.len().max(1) as f32, gradient)
    }
}

/// The examples `open` with the change, cut to ball and range.
fn moved(batch: Batch<'_>, threat: &Threat, open: &[usize], change: &[f32]) -> Vec<f32> {
    let mut inputs = Vec::with_capacity(open.len() * change.len());
    for &index in open {
        let clean = batch.input(index);
        let mut input: Vec<f32> = clean.iter().zip(change).map(|(clean, change)| clean + change).collect();
        threat.project(clean, &mut input);
        inputs.extend(input);
    }
    inputs
}
