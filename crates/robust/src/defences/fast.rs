use burn::tensor::Tensor;
use crucible_models::Classifier;
use crucible_train::Batch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, Scene};
use crate::{Norm, Threat, loss};

/// The loss after one gradient step from a random start: adversarial training at the price of two passes.
///
/// A network that learns to fool the single step (its loss is small at the step's end and large on the way there) would
/// lose all robustness at once. The guard looks along the way, and takes the first point at which the network is fooled
/// in the place of the end.
///
/// E. Wong, L. Rice, Z. Kolter: Fast is better than free, 2020. The guard: H. Kim, W. Lee, J. Lee: Understanding
/// catastrophic overfitting in single-step adversarial training, 2021.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fast {
    /// How the ball measures.
    pub norm: Norm,
    /// The ball's radius ε; for pictures in units where 0 is black and 1 white.
    #[schemars(range(min = 0.0))]
    pub eps: f32,
    /// The length of the step, in units of ε.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f32,
    /// Points on the way, evenly spaced, that the guard looks at; 0 for no guard.
    pub guard: u32,
    /// The share of training over which ε grows from 0.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub ramp: f64,
}

impl Default for Fast {
    fn default() -> Self {
        Self { norm: Norm::Linf, eps: 0.3, step_size: 1.25, guard: 2, ramp: 0.1 }
    }
}

impl Rule for Fast {
    fn ball(&self) -> (Norm, f32) {
        (self.norm, self.eps)
    }

    fn ramp(&self) -> f64 {
        self.ramp
    }

    fn loss(&self, threat: &Threat, scene: Scene<'_>, batch: Batch<'_>) -> Tensor<1> {
        let start = scene.random_start(threat, batch.rng);
        let step = (1, self.step_size * threat.eps());
        let end = scene.climb(threat, start, step, &mut |first, logits| scene.rise(first, logits));
        let worst = self.first_fooling(&scene, end);
        scene.loss_at(&worst, batch)
    }
}

impl Fast {
    /// For each example the first point on the way from the clean input to `end` that fools the network, else the end.
    fn first_fooling(&self, scene: &Scene<'_>, end: Vec<f32>) -> Vec<f32> {
        let (features, classes) = (scene.view.features(), scene.view.classes());
        let mut chosen = end.clone();
        // From the end back, so that the first point is the one that stays.
        for point in (1..=self.guard).rev() {
            let share = point as f32 / (self.guard + 1) as f32;
            let between: Vec<f32> =
                scene.clean.iter().zip(&end).map(|(clean, end)| clean + share * (end - clean)).collect();
            let logits = scene.view.logits(&between);
            let rows = chosen.chunks_exact_mut(features).zip(between.chunks_exact(features));
            for ((label, logits), (chosen, between)) in
                scene.labels.iter().zip(logits.chunks_exact(classes)).zip(rows)
            {
                if loss::class(logits) != *label as usize {
                    chosen.copy_from_slice(between);
                }
            }
        }
        chosen
    }
}
