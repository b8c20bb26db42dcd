//! The attacks, one file each, and the one list that names them.

mod apgd_ce;
mod apgd_dlr;
mod apgd_t;
mod auto;
mod cw;
mod deepfool;
mod fab_t;
mod fgsm;
mod hop_skip_jump;
mod mi_fgsm;
mod pgd;
mod rfgsm;
mod square;
mod universal;

use crucible_train::registry;
use rand_chacha::ChaCha8Rng;

pub use apgd_ce::ApgdCe;
pub use apgd_dlr::ApgdDlr;
pub use apgd_t::ApgdT;
pub use auto::Auto;
pub use cw::Cw;
pub use deepfool::DeepFool;
pub use fab_t::FabT;
pub use fgsm::Fgsm;
pub use hop_skip_jump::HopSkipJump;
pub use mi_fgsm::MiFgsm;
pub use pgd::Pgd;
pub use rfgsm::Rfgsm;
pub use square::Square;
pub use universal::Universal;

use crate::{Access, Adversarial, Batch, Norm, RobustError, Threat, Victim, found::Found};
use crucible_models::Differentiable;

/// A way to look for inputs that a model gets wrong.
pub trait Attack {
    /// What it asks of the model.
    fn access(&self) -> Access;

    /// The balls that it knows.
    fn norms(&self) -> &'static [Norm];

    /// The class that it moves towards, if it is after a certain one.
    fn target(&self) -> Option<u32> {
        None
    }

    /// Whether examples share one change, so that none can be attacked without the others.
    fn shared(&self) -> bool {
        false
    }

    /// Looks for an input in the ball around each example that the model takes for another class than the true one.
    ///
    /// Called through [`AttackConfig::run`], which has checked access, norm and inputs.
    fn run(&self, victim: Victim<'_>, batch: Batch<'_>, threat: &Threat, rng: &mut ChaCha8Rng)
    -> Adversarial;
}

registry! {
    /// Which attack, and its settings.
    pub enum AttackConfig: Attack by attack;

    /// Fast gradient sign method: one step of length ε along the gradient.
    Fgsm = "fgsm",
    /// FGSM after a random step.
    Rfgsm = "rfgsm",
    /// Projected gradient descent: steps along the gradient of the loss, back into the ball after each.
    Pgd = "pgd",
    /// PGD along a sum of gradients, whose finds carry over well to other models.
    MiFgsm = "mi-fgsm",
    /// PGD that finds its own step size, up the cross-entropy.
    ApgdCe = "apgd-ce",
    /// PGD that finds its own step size, up the difference of logits ratio.
    ApgdDlr = "apgd-dlr",
    /// The same towards one class after another.
    ApgdT = "apgd-t",
    /// The nearest input that fools, by steps to linear boundaries, towards one class after another.
    FabT = "fab-t",
    /// The nearest input that fools, by steps to the nearest linear boundary.
    DeepFool = "deepfool",
    /// The nearest input that fools in L2, by Adam (Carlini and Wagner).
    Cw = "cw",
    /// Random squares, asking for scores only.
    Square = "square",
    /// Along the boundary, asking for decisions only.
    HopSkipJump = "hopskipjump",
    /// One change for all inputs.
    Universal = "universal",
    /// AutoAttack: apgd-ce, apgd-t, fab-t and square, each on what still stands.
    Auto = "auto",
}

impl AttackConfig {
    /// Runs the attack. A radius of zero leaves every input as it is.
    ///
    /// # Errors
    ///
    /// Where the model does not answer what the attack asks, the attack knows no such ball, an input is not valid or a
    /// label no class.
    ///
    /// # Panics
    ///
    /// If there is not one label for each input.
    pub fn run(
        &self,
        victim: Victim<'_>,
        batch: Batch<'_>,
        threat: &Threat,
        rng: &mut ChaCha8Rng,
    ) -> Result<Adversarial, RobustError> {
        let (attack, offered, norm) = (self.attack(), victim.access(), threat.norm());
        let others = || {
            let fits = |attack: &dyn Attack| attack.access() <= offered && attack.norms().contains(&norm);
            let all = Self::all().into_iter().filter(|(_, _, config)| fits(config.attack()));
            all.map(|(name, _, _)| name).collect()
        };
        let (name, access) = (self.name(), attack.access());
        if access > offered {
            return Err(RobustError::Access { attack: name, access, offered, others: others() });
        }
        if !attack.norms().contains(&norm) {
            return Err(RobustError::Norm { method: name, norm, others: others() });
        }
        let model = victim.scores();
        assert_eq!(batch.inputs.len(), batch.len() * model.features(), "one label for each input");
        let classes = model.classes();
        let mut named = batch.labels.iter().copied().chain(attack.target());
        if let Some(class) = named.find(|class| *class as usize >= classes) {
            return Err(RobustError::Class { class, classes });
        }
        threat.check(batch.inputs, model.features())?;
        if batch.is_empty() || threat.eps() == 0.0 {
            return Ok(Found::new(batch, threat, model).finish());
        }
        Ok(attack.run(victim, batch, threat, rng))
    }
}

impl<'a> Victim<'a> {
    /// The model as one with gradients, for an attack whose access has been checked.
    fn gradients(self) -> &'a dyn Differentiable {
        match self {
            Self::WhiteBox(model) => model,
            Self::BlackBox(_) => unreachable!("access is checked before an attack runs"),
        }
    }
}
