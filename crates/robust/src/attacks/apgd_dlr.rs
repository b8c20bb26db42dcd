use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{
    Access, Adversarial, Batch, Norm, Threat, Victim, Warning, auto_pgd::AutoPgd, draws::Draws, found::Found,
    loss,
};

/// The same as `apgd-ce` up the difference of logits ratio, which does not flatten where the model is sure, nor changes with
/// the scale of the logits.
///
/// The ratio needs three classes; with two, the plain difference of the logits takes its place, with a warning.
///
/// F. Croce, M. Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks,
/// 2020, algorithm 1 and equation 6.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApgdDlr {
    /// Gradient steps from each start.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// Starts, each from another random point of the ball.
    #[schemars(range(min = 1))]
    pub restarts: u32,
}

impl Default for ApgdDlr {
    /// 100 steps from one start, as in AutoAttack.
    fn default() -> Self {
        Self { steps: 100, restarts: 1 }
    }
}

impl Attack for ApgdDlr {
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
        let (classes, needs) = (model.classes(), loss::RATIO);
        if classes < needs {
            found.warn(Warning::NoRatio { attack: "apgd-dlr", classes, needs });
        }
        let run = AutoPgd { model, batch, threat, steps: self.steps, draws: &draws };
        for round in 0..self.restarts {
            run.run(&mut found, round, &mut |index, logits, weights| {
                loss::ratio(logits, batch.labels[index] as usize, weights)
            });
        }
        found.finish()
    }
}
