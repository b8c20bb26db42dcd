use burn::tensor::{
    Tensor,
    activation::{log_softmax, softmax},
};
use crucible_models::{Classifier, Tapped};
use crucible_train::Batch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, Scene};
use crate::{Norm, Threat, loss, threat::normal};

/// The plain loss, and β times the Kullback-Leibler divergence of the answer at the point of the ball where that is
/// largest from the answer at the input itself.
///
/// H. Zhang et al.: Theoretically principled trade-off between robustness and accuracy, 2019, equation 5.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Trades {
    /// How the ball measures.
    pub norm: Norm,
    /// The ball's radius ε; for pictures in units where 0 is black and 1 white.
    #[schemars(range(min = 0.0))]
    pub eps: f32,
    /// The weight β of the divergence.
    #[schemars(range(min = 0.0))]
    pub beta: f64,
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

impl Default for Trades {
    fn default() -> Self {
        Self { norm: Norm::Linf, eps: 0.3, beta: 6.0, steps: 10, step_size: 0.2, ramp: 0.1 }
    }
}

/// The standard deviation of the noise that the climb begins with: at the input itself the divergence has no slope.
const START: f32 = 1e-3;

impl Rule for Trades {
    fn ball(&self) -> (Norm, f32) {
        (self.norm, self.eps)
    }

    fn ramp(&self) -> f64 {
        self.ramp
    }

    fn loss(&self, threat: &Threat, scene: Scene<'_>, batch: Batch<'_>) -> Tensor<1> {
        let classes = scene.view.classes();
        let clean = softmax_rows(&scene.view.logits(&scene.clean), classes);
        let mut start = scene.clean.clone();
        scene.rows(&mut start).for_each(|(clean, input)| {
            input.iter_mut().for_each(|value| *value += START * normal(batch.rng));
            threat.project(clean, input);
        });
        let steps = (self.steps, self.step_size * threat.eps());
        let worst = scene.climb(threat, start, steps, &mut |first, logits| {
            let moved = softmax_rows(logits, classes);
            moved.iter().zip(&clean[first * classes..]).map(|(moved, clean)| moved - clean).collect()
        });
        let answer = batch.network.forward(batch.inputs, batch.tap);
        let moved = batch.network.forward(scene.tensor(&worst), batch.tap);
        let divergence = divergence(answer.clone(), moved);
        batch.loss.forward(answer, batch.targets) + divergence * self.beta
    }
}

/// `Σ p (log p − log q)` of the softmaxes of two `[n, classes]`, averaged over the rows.
fn divergence(p: Tensor<2>, q: Tensor<2>) -> Tensor<1> {
    let difference = log_softmax(p.clone(), 1) - log_softmax(q, 1);
    (softmax(p, 1) * difference).sum_dim(1).mean()
}

fn softmax_rows(logits: &[f32], classes: usize) -> Vec<f32> {
    let mut probabilities = vec![0.0; logits.len()];
    let rows = logits.chunks_exact(classes).zip(probabilities.chunks_exact_mut(classes));
    rows.for_each(|(logits, row)| {
        loss::softmax(logits, row);
    });
    probabilities
}
