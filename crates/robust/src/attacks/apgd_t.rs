use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{
    Access, Adversarial, Batch, Norm, Threat, Victim, Warning, auto_pgd::AutoPgd, draws::Draws, found::Found,
    loss,
};

/// `apgd-dlr` towards one class after another, from the likeliest other down: the strongest of the three, at the price of
/// as many runs.
///
/// The targeted ratio needs four classes; with fewer, the plain difference of the two logits takes its place, with a
/// warning.
///
/// F. Croce, M. Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks,
/// 2020, algorithm 1 and equation 7.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApgdT {
    /// Gradient steps from each start.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// Starts for each class, each from another random point of the ball.
    #[schemars(range(min = 1))]
    pub restarts: u32,
    /// Classes to move towards, the likeliest for the clean input first; fewer where the model has not as many others.
    #[schemars(range(min = 1))]
    pub targets: u32,
}

impl Default for ApgdT {
    /// 100 steps from one start towards each of 9 classes, as in AutoAttack.
    fn default() -> Self {
        Self { steps: 100, restarts: 1, targets: 9 }
    }
}

impl Attack for ApgdT {
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
        let (classes, needs) = (model.classes(), loss::RATIO_TO);
        if classes < needs {
            found.warn(Warning::NoRatio { attack: "apgd-t", classes, needs });
        }
        let run = AutoPgd { model, batch, threat, steps: self.steps, draws: &draws };
        for (target, towards) in (0..).zip(found.targets(self.targets)) {
            for restart in 0..self.restarts {
                let round = target * self.restarts + restart;
                run.run(&mut found, round, &mut |index, logits, weights| {
                    loss::ratio_to(logits, towards[index], batch.labels[index] as usize, weights)
                });
            }
        }
        found.finish()
    }
}
