use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{
    Access, Adversarial, Batch, Norm, Threat, Victim, draws::Draws, found::Found, threat::normal, walk::Walk,
    walk::sign,
};

/// FGSM after a random step: the sign of normal noise first, the sign of the gradient for what is left of ε.
///
/// F. Tramèr et al.: Ensemble adversarial training: attacks and defenses, 2018, equation 7 (R+FGSM).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rfgsm {
    /// The length of the random step, in units of ε.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub noise: f32,
    /// Move towards this class instead of just away from the true one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
}

impl Default for Rfgsm {
    /// Half of ε at random, as in the paper.
    fn default() -> Self {
        Self { noise: 0.5, target: None }
    }
}

impl Attack for Rfgsm {
    fn access(&self) -> Access {
        Access::Gradients
    }

    fn norms(&self) -> &'static [Norm] {
        &[Norm::Linf]
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
        let open = found.open();
        let mut inputs = Vec::with_capacity(open.len() * model.features());
        for &index in &open {
            let (clean, mut rng) = (batch.input(index), draws.of(index, 0));
            let noise = self.noise * threat.eps();
            let mut input: Vec<f32> =
                clean.iter().map(|value| value + noise * sign(normal(&mut rng))).collect();
            threat.project(clean, &mut input);
            inputs.extend(input);
        }
        let walk =
            Walk { steps: 1, length: 1.0 - self.noise, momentum: None, stop: true, target: self.target };
        walk.run(model, batch, threat, &mut found, open, inputs);
        found.finish()
    }
}
