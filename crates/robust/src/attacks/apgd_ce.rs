use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{
    Access, Adversarial, Batch, Norm, Threat, Victim, auto_pgd::AutoPgd, draws::Draws, found::Found, loss,
};

/// Projected gradient descent with momentum that halves its own step size, up the cross-entropy.
///
/// F. Croce, M. Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks,
/// 2020, algorithm 1; for L1 the same: Mind the box, 2021.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApgdCe {
    /// Gradient steps from each start.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// Starts, each from another random point of the ball.
    #[schemars(range(min = 1))]
    pub restarts: u32,
}

impl Default for ApgdCe {
    /// 100 steps from one start, as in AutoAttack.
    fn default() -> Self {
        Self { steps: 100, restarts: 1 }
    }
}

impl Attack for ApgdCe {
    fn access(&self) -> Access {
        Access::Gradients
    }

    fn norms(&self) -> &'static [Norm] {
        &Norm::ALL
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
        let run = AutoPgd { model, batch, threat, steps: self.steps, draws: &draws };
        for round in 0..self.restarts {
            run.run(&mut found, round, &mut |index, logits, weights| {
                loss::cross_entropy(logits, batch.labels[index] as usize, weights)
            });
        }
        found.finish()
    }
}
