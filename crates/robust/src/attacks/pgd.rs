use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{Access, Adversarial, Batch, Norm, Threat, Victim, draws::Draws, found::Found, walk::Walk};

/// Steps along the gradient of the cross-entropy (its sign for L∞, its direction for L2, its largest values for L1), each
/// followed by the projection into the ball and the valid range.
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
    /// Leave an example alone once it is fooled, so that a run costs as much as the model resists.
    pub stop: bool,
    /// Move towards this class instead of just away from the true one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
}

impl Default for Pgd {
    /// 40 steps of ε/30 from one random start, as in Madry's challenge on MNIST.
    fn default() -> Self {
        Self { steps: 40, step_size: 1.0 / 30.0, restarts: 1, random_start: true, stop: true, target: None }
    }
}

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
        let draws = Draws::new(rng);
        let mut found = Found::new(batch, threat, model);
        let walk = Walk {
            steps: self.steps,
            length: self.step_size,
            momentum: None,
            stop: self.stop,
            target: self.target,
        };
        for round in 0..self.restarts {
            let open = if self.stop { found.open() } else { (0..batch.len()).collect() };
            let start = |&index: &usize| match self.random_start {
                true => threat.sample(batch.input(index), &mut draws.of(index, round)),
                false => batch.input(index).to_vec(),
            };
            let inputs = open.iter().flat_map(start).collect();
            walk.run(model, batch, threat, &mut found, open, inputs);
        }
        found.finish()
    }
}
