use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Detector, Inspection, Reconstruction, Sees, Suspect, highest};
use crate::{
    Batch,
    loss::{class, cross_entropy},
};
use crucible_measure::median;
use crucible_models::Differentiable;

/// For each class the smallest mask and pattern that turn inputs of other classes into it, by Adam on both: the target of
/// a backdoor needs a far smaller one than the others.
///
/// B. Wang et al.: Neural Cleanse: Identifying and mitigating backdoor attacks in neural networks, 2019.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reconstruct {
    /// Inputs that a trigger is made for, drawn from those of other classes that the model gets right.
    #[schemars(range(min = 1))]
    pub examples: usize,
    /// Steps of Adam for each class.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// Adam's learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f32,
    /// The share of inputs that a trigger turns at least.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub success: f64,
    /// The anomaly index of a flagged class at least: how far the logarithm of its mask's L1 norm lies below the median, in
    /// median absolute deviations made consistent with the normal distribution's standard deviation. (The paper takes no
    /// logarithm; among ten classes a few large masks then hide a small one.)
    pub anomaly: f64,
    /// The L1 norm of a flagged class's mask at most, in medians: where classes differ little, an anomaly is none.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub smaller: f64,
}

impl Default for Reconstruct {
    fn default() -> Self {
        Self { examples: 128, steps: 300, step_size: 0.1, success: 0.95, anomaly: 2.0, smaller: 0.5 }
    }
}

/// From the median absolute deviation to the standard deviation of a normal distribution.
const CONSISTENT: f64 = 1.4826;

/// Adam's decays.
const DECAY: [f32; 2] = [0.9, 0.999];

/// The weight of the mask's norm at first, the factor by which it moves, and the steps of success or failure in a row
/// that move it.
const WEIGHT: f32 = 1e-3;
const FACTOR: f32 = 1.5;
const PATIENCE: i32 = 5;

/// Values between 0 and 1 by the hyperbolic tangent of free ones, and their memory in Adam.
struct Free {
    values: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Free {
    fn new(start: f32, len: usize) -> Self {
        Self { values: vec![start; len], first: vec![0.0; len], second: vec![0.0; len] }
    }

    fn bounded(&self) -> Vec<f32> {
        self.values.iter().map(|value| 0.5 * value.tanh() + 0.5).collect()
    }

    /// One step of Adam down the gradient by the bounded values.
    fn step(&mut self, gradient: &[f32], step: u32, length: f32) {
        let correct = DECAY.map(|decay| 1.0 - decay.powf(step as f32));
        for (i, gradient) in gradient.iter().enumerate() {
            let tanh = self.values[i].tanh();
            let gradient = gradient * 0.5 * (1.0 - tanh * tanh);
            self.first[i] = DECAY[0] * self.first[i] + (1.0 - DECAY[0]) * gradient;
            self.second[i] = DECAY[1] * self.second[i] + (1.0 - DECAY[1]) * gradient * gradient;
            let (mean, square) = (self.first[i] / correct[0], self.second[i] / correct[1]);
            self.values[i] -= length * mean / (square.sqrt() + 1e-8);
        }
    }
}

impl Reconstruct {
    /// The smallest trigger found that turns inputs `[n, features]` into the target, where one was found, else the one
    /// that turns the most; none without inputs.
    fn trigger(
        &self,
        model: &dyn Differentiable,
        inputs: &[f32],
        pixels: usize,
        target: usize,
    ) -> Option<Reconstruction> {
        let (features, classes) = (model.features(), model.classes());
        let n = inputs.len() / features;
        if n == 0 {
            return None;
        }
        let (mut mask, mut pattern) = (Free::new(-2.0, pixels), Free::new(0.0, features));
        let (mut weight, mut streak) = (WEIGHT, 0i32);
        let mut best: Option<(Reconstruction, f32)> = None;
        for step in 1..=self.steps {
            let (cover, paint) = (mask.bounded(), pattern.bounded());
            let stamped: Vec<f32> = inputs
                .chunks_exact(features)
                .flat_map(|input| {
                    let mixed = input.iter().zip(&paint).enumerate();
                    mixed.map(|(i, (x, p))| x + cover[i % pixels] * (p - x))
                })
                .collect();
            let mut hits = 0;
            let pulled = model.pull_back(&stamped, &mut |_, logits| {
                let mut weights = vec![0.0; logits.len()];
                for (row, weights) in logits.chunks_exact(classes).zip(weights.chunks_exact_mut(classes)) {
                    hits += usize::from(class(row) == target && row.iter().all(|logit| logit.is_finite()));
                    cross_entropy(row, target, weights);
                }
                weights
            });
            let success = hits as f64 / n as f64;
            let norm: f32 = cover.iter().sum();
            let enough = |success| success >= self.success;
            let better = best.as_ref().is_none_or(|(best, smallest)| match enough(best.success) {
                true => enough(success) && norm < *smallest,
                false => success >= best.success,
            });
            if better {
                best = Some((Reconstruction { mask: cover.clone(), pattern: paint.clone(), success }, norm));
            }
            streak = if enough(success) { streak.max(0) + 1 } else { streak.min(0) - 1 };
            if streak >= PATIENCE {
                (weight, streak) = (weight * FACTOR, 0);
            } else if streak <= -PATIENCE {
                (weight, streak) = (weight / FACTOR, 0);
            }
            let (mut by_mask, mut by_pattern) = (vec![weight; pixels], vec![0.0; features]);
            for (gradient, input) in pulled.gradient.chunks_exact(features).zip(inputs.chunks_exact(features))
            {
                for (i, gradient) in gradient.iter().enumerate() {
                    let gradient = gradient / n as f32;
                    by_mask[i % pixels] += gradient * (paint[i] - input[i]);
                    by_pattern[i] += gradient * cover[i % pixels];
                }
            }
            mask.step(&by_mask, step, self.step_size);
            pattern.step(&by_pattern, step, self.step_size);
        }
        best.map(|(best, _)| best)
    }
}

impl Detector for Reconstruct {
    fn sees(&self) -> Sees {
        Sees::Gradients
    }

    fn run(&self, suspect: Suspect<'_>, batch: Batch<'_>, rng: &mut ChaCha8Rng) -> Inspection {
        let model = suspect.model;
        let channels = batch.picture.map_or(1, |[channels, ..]| channels);
        let pixels = model.features() / channels;
        let logits = model.logits(batch.inputs);
        let said: Vec<usize> = logits.chunks_exact(model.classes()).map(class).collect();
        let mut order: Vec<usize> =
            (0..batch.len()).filter(|&i| said[i] == batch.labels[i] as usize).collect();
        order.shuffle(rng);
        let mut triggers = Vec::new();
        for target in 0..model.classes() {
            let others = order.iter().filter(|&&index| batch.labels[index] as usize != target);
            let inputs: Vec<f32> =
                others.take(self.examples).flat_map(|&index| batch.input(index)).copied().collect();
            match self.trigger(model, &inputs, pixels, target) {
                Some(trigger) => triggers.push(trigger),
                None => {
                    let evidence = format!("the model gets no examples right but those of class {target}");
                    let scores = vec![None; model.classes()];
                    return Inspection { scores, evidence, ..Inspection::default() };
                }
            }
        }
        self.judge(triggers, pixels)
    }
}

impl Reconstruct {
    /// Looks for a mask that is far smaller than the others. One that does not turn inputs enough counts as covering all.
    fn judge(&self, triggers: Vec<Reconstruction>, pixels: usize) -> Inspection {
        let norm = |trigger: &Reconstruction| match trigger.success >= self.success {
            true => trigger.mask.iter().map(|value| f64::from(*value)).sum(),
            false => pixels as f64,
        };
        let norms: Vec<f64> = triggers.iter().map(norm).collect();
        let logs: Vec<f64> = norms.iter().map(|norm| norm.max(0.01).ln()).collect();
        let middle = median(&logs).expect("a model has classes");
        let distances: Vec<f64> = logs.iter().map(|log| (log - middle).abs()).collect();
        let deviation = (CONSISTENT * median(&distances).expect("as many")).max(0.01);
        let scores: Vec<Option<f64>> = logs.iter().map(|log| Some((middle - log) / deviation)).collect();
        let middle = middle.exp();
        let Some((class, score)) = highest(&scores) else { return Inspection::default() };
        let (found, unusual) =
            (&triggers[class], score > self.anomaly && norms[class] <= self.smaller * middle);
        let evidence = format!(
            "the smallest trigger covers {:.1} pixels and turns {:.0}% of other inputs into class {class}, where the median \
             class needs {middle:.1} (anomaly index {score:.1}){}",
            norms[class],
            100.0 * found.success,
            if unusual { "" } else { ": nothing unusual" }
        );
        let flagged = unusual.then_some(class as u32);
        Inspection { scores, flagged, evidence, suspicious: Vec::new(), triggers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(norms: [f32; 5], success: f64) -> Vec<Reconstruction> {
        norms
            .map(|norm| Reconstruction { mask: vec![norm / 100.0; 100], pattern: Vec::new(), success })
            .to_vec()
    }

    #[test]
    fn backdoor_mask_far_below_the_median_is_flagged() {
        let judge = |norms, success| Reconstruct::default().judge(masks(norms, success), 100);
        let found = judge([50.0, 60.0, 8.0, 55.0, 66.0], 0.99);
        assert_eq!(found.flagged, Some(2));
        // Half of the masks lie within a factor of 55/50 of the median.
        let expected = (55.0f64 / 8.0).ln() / (1.4826 * (55.0f64 / 50.0).ln());
        assert!((found.scores[2].unwrap() - expected).abs() < 1e-3, "{:?}", found.scores);
        // Far below, and yet no half: nothing that a patch would do.
        assert_eq!(judge([50.0, 51.0, 45.0, 52.0, 51.0], 0.99).flagged, None);
        assert_eq!(judge([50.0, 60.0, 8.0, 55.0, 66.0], 0.5).flagged, None);
        assert_eq!(judge([50.0, 60.0, 90.0, 55.0, 66.0], 0.99).flagged, None);
    }
}
