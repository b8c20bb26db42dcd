use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{Access, Adversarial, Batch, Norm, Threat, Victim, found::Found, loss};

/// Steps along the gradient of the cross-entropy (its sign for L∞, its direction for L2, its largest values for L1), each
/// followed by the projection into the ball and the valid range.
///
/// An example that is fooled is left alone, so that a run costs as much as the model resists.
///
/// A. Madry et al.: Towards deep learning models resistant to adversarial attacks, 2018. For L1: F. Tramèr, D. Boneh:
/// Adversarial training and robustness for multiple perturbations, 2019, algorithm 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pgd {
    /// Gradient steps from each start.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// The length of a step, in units of ε.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f32,
    /// Starts, each from another random point of the ball.
    #[schemars(range(min = 1))]
    pub restarts: u32,
    /// Begin at a random point of the ball instead of the input itself.
    pub random_start: bool,
    /// Move towards this class instead of just away from the true one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
}

impl Default for Pgd {
    /// 40 steps of ε/30 from one random start, as in Madry's challenge on MNIST.
    fn default() -> Self {
        Self { steps: 40, step_size: 1.0 / 30.0, restarts: 1, random_start: true, target: None }
    }
}

/// The share of values that a step in L1 moves.
const MOVED: f64 = 0.01;

impl Attack for Pgd {
    fn access(&self) -> Access {
        Access::Gradients
    }

    fn norms(&self) -> &'static [Norm] {
        &Norm::ALL
    }

    fn target(&self) -> Option<u32> {
        self.target
    }

    fn run(
        &self,
        victim: Victim<'_>,
        batch: Batch<'_>,
        threat: &Threat,
        rng: &mut ChaCha8Rng,
    ) -> Adversarial {
        let model = victim.gradients();
        let (features, classes) = (model.features(), model.classes());
        let mut found = Found::new(batch, model);
        for _ in 0..self.restarts {
            let mut open = found.open();
            let mut inputs: Vec<f32> = Vec::with_capacity(open.len() * features);
            for &index in &open {
                let clean = batch.input(index);
                match self.random_start {
                    true => inputs.extend(threat.sample(clean, rng)),
                    false => inputs.extend(clean),
                }
            }
            for _ in 0..self.steps {
                if open.is_empty() {
                    break;
                }
                let pulled = model.pull_back(&inputs, &mut |first, logits| {
                    let mut weights = vec![0.0; logits.len()];
                    let rows = logits.chunks_exact(classes).zip(weights.chunks_exact_mut(classes));
                    for (&index, (logits, weights)) in open[first..].iter().zip(rows) {
                        let label = self.target.unwrap_or(batch.labels[index]) as usize;
                        loss::cross_entropy(logits, label, weights);
                        if self.target.is_some() {
                            weights.iter_mut().for_each(|weight| *weight = -*weight);
                        }
                    }
                    weights
                });
                found.count(open.len(), open.len());
                found.record(&open, &inputs, &pulled.logits);
                let mut next = Vec::with_capacity(inputs.len());
                let rows = inputs.chunks_exact(features).zip(pulled.gradient.chunks_exact(features));
                let still = found.open();
                for (&index, (input, gradient)) in open.iter().zip(rows) {
                    if still.binary_search(&index).is_ok() {
                        let mut input = input.to_vec();
                        step(threat.norm(), &mut input, gradient, self.step_size * threat.eps());
                        threat.project(batch.input(index), &mut input);
                        next.extend(input);
                    }
                }
                (open, inputs) = (still, next);
            }
            if !open.is_empty() {
                found.count(open.len(), 0);
                found.record(&open, &inputs, &model.logits(&inputs));
            }
        }
        found.finish()
    }
}

/// Moves `input` by `length` in the direction in which a linear function of this gradient rises fastest.
fn step(norm: Norm, input: &mut [f32], gradient: &[f32], length: f32) {
    match norm {
        Norm::Linf => {
            for (value, gradient) in input.iter_mut().zip(gradient) {
                // Not `signum`, which moves where there is no gradient.
                *value += length * (f32::from(*gradient > 0.0) - f32::from(*gradient < 0.0));
            }
        }
        Norm::L2 => {
            let size = norm.of(gradient.iter().copied());
            if size > 0.0 {
                let factor = (f64::from(length) / size) as f32;
                input.iter_mut().zip(gradient).for_each(|(value, gradient)| *value += factor * gradient);
            }
        }
        Norm::L1 => {
            let count = ((gradient.len() as f64 * MOVED).round() as usize).max(1);
            let mut order: Vec<usize> = (0..gradient.len()).filter(|&i| gradient[i] != 0.0).collect();
            order.sort_by(|&a, &b| gradient[b].abs().total_cmp(&gradient[a].abs()));
            order.truncate(count);
            let share = length / order.len().max(1) as f32;
            order.into_iter().for_each(|i| input[i] += share * gradient[i].signum());
        }
    }
}
