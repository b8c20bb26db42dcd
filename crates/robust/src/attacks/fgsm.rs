use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{Access, Adversarial, Batch, Norm, Threat, Victim, found::Found, walk::Walk};

/// One step of length ε along the gradient of the cross-entropy: its sign for L∞, its direction for L2, its largest values
/// for L1.
///
/// Cheap, and a lower bound of what is possible: use it to compare, not to claim robustness.
///
/// I. Goodfellow et al.: Explaining and harnessing adversarial examples, 2015.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fgsm {
    /// Move towards this class instead of just away from the true one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
}

impl Attack for Fgsm {
    fn access(&self) -> Access {
        Access::Gradients
    }

    fn norms(&self) -> &'static [Norm] {
        &Norm::ALL
    }

    fn target(&self) -> Option<u32> {
        self.target
    }

    fn run(&self, victim: Victim<'_>, batch: Batch<'_>, threat: &Threat, _: &mut ChaCha8Rng) -> Adversarial {
        let model = victim.gradients();
        let mut found = Found::new(batch, threat, model);
        let open = found.open();
        let inputs = open.iter().flat_map(|&index| batch.input(index)).copied().collect();
        let walk = Walk { steps: 1, length: 1.0, momentum: None, stop: true, target: self.target };
        walk.run(model, batch, threat, &mut found, open, inputs);
        found.finish()
    }
}
