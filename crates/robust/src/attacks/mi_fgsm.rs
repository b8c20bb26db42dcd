use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{Access, Adversarial, Batch, Norm, Threat, Victim, found::Found, walk::Walk};

/// Steps along a sum of the gradients so far, each divided by its L1 norm, older ones fading: what it finds carries over to
/// other models better than what PGD finds.
///
/// Y. Dong et al.: Boosting adversarial attacks with momentum, 2018, algorithm 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MiFgsm {
    /// Steps, each of length ε / steps.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// What a step keeps of the sum before it.
    #[schemars(range(min = 0.0))]
    pub decay: f32,
    /// Move towards this class instead of just away from the true one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
}

impl Default for MiFgsm {
    /// 10 steps and a decay of 1, as in the paper.
    fn default() -> Self {
        Self { steps: 10, decay: 1.0, target: None }
    }
}

impl Attack for MiFgsm {
    fn access(&self) -> Access {
        Access::Gradients
    }

    fn norms(&self) -> &'static [Norm] {
        &[Norm::Linf, Norm::L2]
    }

    fn target(&self) -> Option<u32> {
        self.target
    }

    fn run(&self, victim: Victim<'_>, batch: Batch<'_>, threat: &Threat, _: &mut ChaCha8Rng) -> Adversarial {
        let model = victim.gradients();
        let mut found = Found::new(batch, threat, model);
        let open = found.open();
        let inputs = open.iter().flat_map(|&index| batch.input(index)).copied().collect();
        let length = 1.0 / self.steps.max(1) as f32;
        let walk =
            Walk { steps: self.steps, length, momentum: Some(self.decay), stop: true, target: self.target };
        walk.run(model, batch, threat, &mut found, open, inputs);
        found.finish()
    }
}
