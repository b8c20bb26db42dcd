use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApgdCe, ApgdT, Attack, FabT, Square};
use crate::{Access, Adversarial, Batch, Norm, Stage, Threat, Victim, Warning, found::Found, loss};
use crucible_models::Differentiable;

/// AutoAttack, the standard of its field: `apgd-ce`, `apgd-t`, `fab-t` and `square` one after another, each on the examples
/// that still stand. For L1, `square` is left out.
///
/// What makes its answer worth less than it seems is in `Adversarial::warnings`: a model that answers by chance, gradients
/// that are zero or mislead, too few classes.
///
/// F. Croce, M. Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks,
/// 2020; the warnings are those of the authors' code, `flags_doc.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auto {
    /// Gradient steps of each attack, towards each class.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// Random starts of `apgd-ce` and `apgd-t`; all must fail for an example to stand.
    #[schemars(range(min = 1))]
    pub restarts: u32,
    /// Queries of `square`.
    #[schemars(range(min = 1))]
    pub queries: u32,
}

impl Default for Auto {
    /// The standard version: 100 steps from one start, 5000 queries.
    fn default() -> Self {
        Self { steps: 100, restarts: 1, queries: 5000 }
    }
}

impl Attack for Auto {
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
        let mut found = Found::new(batch, threat, model);
        doubt(model, batch, &mut found);
        let Self { steps, restarts, queries } = *self;
        let members: [(&'static str, &dyn Attack); 4] = [
            ("apgd-ce", &ApgdCe { steps, restarts }),
            ("apgd-t", &ApgdT { steps, restarts, ..ApgdT::default() }),
            ("fab-t", &FabT { steps, ..FabT::default() }),
            ("square", &Square { queries, ..Square::default() }),
        ];
        let mut white_box = true;
        for (name, attack) in members {
            if !attack.norms().contains(&threat.norm()) {
                found.warn(Warning::LeftOut { attack: name });
                continue;
            }
            let open = found.open();
            let (inputs, labels) = batch.select(&open);
            let part = Batch { inputs: &inputs, labels: &labels, ..batch };
            let result = attack.run(victim, part, threat, rng);
            found.take(model, &open, result);
            let (before, after) = (open.len() as u64, found.open().len() as u64);
            found.stage(Stage { attack: name, before, after });
            white_box &= attack.access() == Access::Gradients;
            if !white_box && after < before {
                found.warn(Warning::MaskedGradients { examples: before - after });
            }
        }
        found.finish()
    }
}

/// Warns of a model that contradicts itself, and of one without gradients.
fn doubt(model: &dyn Differentiable, batch: Batch<'_>, found: &mut Found<'_>) {
    let again = found.ask(model, batch.inputs);
    let same = |(index, again): (usize, &[f32])| {
        let pairs = found.clean_logits(index).iter().zip(again);
        pairs.into_iter().all(|(first, again)| first.to_bits() == again.to_bits())
    };
    let examples = again.chunks_exact(model.classes()).enumerate().filter(|pair| !same(*pair)).count();
    if examples > 0 {
        found.warn(Warning::Randomised { examples: examples as u64, of: batch.len() as u64 });
    }
    let open = found.open();
    let (inputs, labels) = batch.select(&open);
    let (slope, _) = found.slope(model, &inputs, &mut |row, logits, weights| {
        loss::cross_entropy(logits, labels[row] as usize, weights)
    });
    let rows = slope.gradients.chunks_exact(model.features());
    let flat = rows.filter(|gradient| gradient.iter().all(|value| *value == 0.0)).count();
    if flat * 100 > open.len() {
        found.warn(Warning::ZeroGradients { examples: flat as u64, of: open.len() as u64 });
    }
}
