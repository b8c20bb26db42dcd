//! The attacks, one file each, and the one list that names them.

mod pgd;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use pgd::Pgd;

use crate::{Access, Adversarial, Batch, Norm, RobustError, Threat, Victim};
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

    /// Looks for an input in the ball around each example that the model takes for another class than the true one.
    ///
    /// Called through [`AttackConfig::run`], which has checked access, norm and inputs.
    fn run(&self, victim: Victim<'_>, batch: Batch<'_>, threat: &Threat, rng: &mut ChaCha8Rng)
    -> Adversarial;
}

/// One line an attack: its variant, whose kebab-case name recipes and commands use, and its configuration.
macro_rules! attacks {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// Which attack, and its settings.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum AttackConfig {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant($variant),)*
        }

        impl AttackConfig {
            /// Every attack as its name, what it is, and its default settings.
            #[must_use]
            pub fn all() -> Vec<(&'static str, &'static str, Self)> {
                vec![$(($name, concat!($($doc),*).trim_ascii(), Self::$variant($variant::default())),)*]
            }

            /// The name that recipes and commands use.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            /// The attack itself.
            #[must_use]
            pub fn attack(&self) -> &dyn Attack {
                match self {
                    $(Self::$variant(attack) => attack,)*
                }
            }
        }
    };
}

attacks! {
    /// Projected gradient descent: steps along the gradient of the loss, back into the ball after each.
    Pgd = "pgd",
}

impl AttackConfig {
    /// Runs the attack.
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
        let names = |fits: &dyn Fn(&dyn Attack) -> bool| {
            let all = Self::all().into_iter().filter(|(_, _, config)| fits(config.attack()));
            all.map(|(name, _, _)| name).collect()
        };
        if attack.access() > offered {
            let others = names(&|attack| attack.access() <= offered && attack.norms().contains(&norm));
            return Err(RobustError::Access {
                attack: self.name(),
                access: attack.access(),
                offered,
                others,
            });
        }
        if !attack.norms().contains(&norm) {
            let others = names(&|attack| attack.access() <= offered && attack.norms().contains(&norm));
            return Err(RobustError::Norm { attack: self.name(), norm, others });
        }
        let model = victim.scores();
        assert_eq!(batch.inputs.len(), batch.len() * model.features(), "one label for each input");
        let classes = model.classes();
        let mut named = batch.labels.iter().copied().chain(attack.target());
        if let Some(class) = named.find(|class| *class as usize >= classes) {
            return Err(RobustError::Class { class, classes });
        }
        threat.check(batch.inputs, model.features())?;
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
