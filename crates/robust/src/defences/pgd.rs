use burn::tensor::Tensor;
use crucible_train::Batch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, Scene};
use crate::{Norm, Threat};

/// The loss at the point that projected gradient descent on the cross-entropy ends at, from a random start.
///
/// A. Madry et al.: Towards deep learning models resistant to adversarial attacks, 2018.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdversarialPgd {
    /// How the ball measures.
    pub norm: Norm,
    /// The ball's radius ε; for pictures in units where 0 is black and 1 white.
    #[schemars(range(min = 0.0))]
    pub eps: f32,
    /// Gradient steps.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// The length of a step, in units of ε.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f32,
    /// The share of training over which ε grows from 0.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub ramp: f64,
}

impl Default for AdversarialPgd {
    /// On MNIST: seven steps of ε/4 at 0.3.
    fn default() -> Self {
        Self { norm: Norm::Linf, eps: 0.3, steps: 7, step_size: 0.25, ramp: 0.1 }
    }
}

impl Rule for AdversarialPgd {
    fn ball(&self) -> (Norm, f32) {
        (self.norm, self.eps)
    }

    fn ramp(&self) -> f64 {
        self.ramp
    }

    fn loss(&self, threat: &Threat, scene: Scene<'_>, batch: Batch<'_>) -> Tensor<1> {
        let start = scene.random_start(threat, batch.rng);
        let steps = (self.steps, self.step_size * threat.eps());
        let worst = scene.climb(threat, start, steps, &mut |first, logits| scene.rise(first, logits));
        scene.loss_at(&worst, batch)
    }
}
