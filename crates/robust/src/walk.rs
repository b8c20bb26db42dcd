//! Steps of one length along the gradient of the cross-entropy: what FGSM, PGD and their kin share.

use crucible_models::Differentiable;

use crate::{Batch, Norm, Threat, found::Found, loss};

/// How to walk.
pub(crate) struct Walk {
    /// Steps, each with one pass backward.
    pub(crate) steps: u32,
    /// The length of a step, in units of ε.
    pub(crate) length: f32,
    /// What the next step keeps of the direction of the last.
    pub(crate) momentum: Option<f32>,
    /// Leave an example alone once it is fooled.
    pub(crate) stop: bool,
    /// Move towards this class instead of just away from the true one.
    pub(crate) target: Option<u32>,
}

impl Walk {
    /// Walks from `inputs`, one for each of the examples `open`.
    pub(crate) fn run(
        &self,
        model: &dyn Differentiable,
        batch: Batch<'_>,
        threat: &Threat,
        found: &mut Found<'_>,
        mut open: Vec<usize>,
        mut inputs: Vec<f32>,
    ) {
        let features = model.features();
        let mut memory = self.momentum.map(|_| vec![0.0; inputs.len()]);
        for _ in 0..self.steps {
            if open.is_empty() {
                return;
            }
            let slope = found.climb(model, &open, &inputs, &mut |row, logits, weights| {
                self.loss(logits, batch.labels[open[row]], weights)
            });
            let still: Vec<usize> =
                (0..open.len()).filter(|&row| !self.stop || found.stands(open[row])).collect();
            let mut next = Vec::with_capacity(still.len() * features);
            let mut next_memory = Vec::new();
            for &row in &still {
                let here = row * features..(row + 1) * features;
                let (mut input, gradient) = (inputs[here.clone()].to_vec(), &slope.gradients[here.clone()]);
                let length = self.length * threat.eps();
                match (&memory, self.momentum) {
                    (Some(memory), Some(momentum)) => {
                        let direction = blend(&memory[here], momentum, gradient);
                        step(threat.norm(), &mut input, &direction, length);
                        next_memory.extend(direction);
                    }
                    _ => step(threat.norm(), &mut input, gradient, length),
                }
                threat.project(batch.input(open[row]), &mut input);
                next.extend(input);
            }
            open = still.into_iter().map(|row| open[row]).collect();
            inputs = next;
            memory = memory.map(|_| next_memory);
        }
        if !open.is_empty() {
            found.try_out(model, &open, &inputs);
        }
    }

    fn loss(&self, logits: &[f32], label: u32, weights: &mut [f32]) -> f32 {
        match self.target {
            None => loss::cross_entropy(logits, label as usize, weights),
            Some(target) => {
                let loss = loss::cross_entropy(logits, target as usize, weights);
                weights.iter_mut().for_each(|weight| *weight = -*weight);
                -loss
            }
        }
    }
}

/// `momentum · memory + gradient / ‖gradient‖₁`.
fn blend(memory: &[f32], momentum: f32, gradient: &[f32]) -> Vec<f32> {
    let size = Norm::L1.of(gradient.iter().copied());
    let factor = if size > 0.0 { (1.0 / size) as f32 } else { 0.0 };
    memory.iter().zip(gradient).map(|(memory, gradient)| momentum * memory + factor * gradient).collect()
}

/// The share of values that a step in L1 moves.
const MOVED: f64 = 0.01;

/// Moves `input` by `length` in the direction in which a linear function of this gradient rises fastest; for L1 along the
/// largest values.
pub(crate) fn step(norm: Norm, input: &mut [f32], gradient: &[f32], length: f32) {
    match norm {
        Norm::Linf => {
            let moves = gradient.iter().map(|gradient| length * sign(*gradient));
            input.iter_mut().zip(moves).for_each(|(value, change)| *value += change);
        }
        Norm::L2 => {
            let size = norm.of(gradient.iter().copied());
            if size > 0.0 {
                let factor = f64::from(length) / size;
                for (value, gradient) in input.iter_mut().zip(gradient) {
                    *value += (factor * f64::from(*gradient)) as f32;
                }
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

/// −1, 0 or 1; not `signum`, which moves where there is no gradient.
pub(crate) fn sign(value: f32) -> f32 {
    f32::from(value > 0.0) - f32::from(value < 0.0)
}
