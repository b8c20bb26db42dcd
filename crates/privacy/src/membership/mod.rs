//! Membership inference: telling from a model's answers which examples it was trained on. The attacks, one file each, and
//! the one list that names them.
//!
//! They are arithmetic on confidences, of the model under attack and of shadow models: models trained in the same way, each
//! on another random part of the same examples, whose members are known. The scores of an attack are for
//! [`Roc`](crucible_measure::Roc).

mod calibrated_loss;
mod confidence;
mod label_only;
mod lira;
mod lira_offline;
mod loss;
mod normal;
mod rmia;

use crucible_train::registry;

pub use calibrated_loss::CalibratedLoss;
pub use confidence::confidence;
pub use label_only::LabelOnly;
pub use lira::Lira;
pub use lira_offline::{LiraOffline, Tails};
pub use loss::Loss;
pub use normal::Variance;
pub use rmia::Rmia;

use crate::PrivacyError;

/// What shadow models say of the examples, and which of these each was trained on.
#[derive(Debug, Clone, Copy)]
pub struct Shadows<'a> {
    /// `[models, examples]`: each model's confidence in each example, as [`confidence`] measures it.
    pub scores: &'a [f64],
    /// `[models, examples]`: whether the model was trained on the example.
    pub members: &'a [bool],
}

/// Further examples that neither the model under attack nor any shadow model was trained on.
#[derive(Debug, Clone, Copy)]
pub struct Population<'a> {
    /// `[others]`: the model's confidence in each.
    pub target: &'a [f64],
    /// `[models, others]`: each shadow model's.
    pub shadows: &'a [f64],
}

/// All that an attack goes by.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// `[examples]`: the confidence of the model under attack in each example.
    pub target: &'a [f64],
    /// `[examples]`: whether it answers with the example's own class, which [`LabelOnly`] goes by. Of more than two classes
    /// the confidence does not tell.
    pub right: &'a [bool],
    /// The shadow models; none are empty slices, which suffice for [`Loss`] and [`LabelOnly`].
    pub shadows: Shadows<'a>,
    /// Other examples, for [`Rmia`], which takes the examples themselves where there are none.
    pub population: Option<Population<'a>>,
}

/// How many shadow models an attack needs for each example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// That were trained on it.
    pub inside: usize,
    /// That were not.
    pub outside: usize,
}

/// A way to tell members.
pub trait Attack {
    /// The shadow models that it needs.
    fn needs(&self) -> Needs;

    /// Whether its settings can be.
    ///
    /// # Errors
    ///
    /// Where one cannot.
    fn check(&self) -> Result<(), PrivacyError> {
        Ok(())
    }

    /// `[examples]`: a score for each, higher for a member.
    ///
    /// Called through [`AttackConfig::run`], which has checked settings and evidence.
    ///
    /// # Errors
    ///
    /// Where confidences that must differ are all the same.
    fn run(&self, evidence: Evidence<'_>) -> Result<Vec<f64>, PrivacyError>;
}

registry! {
    /// Which attack, and its settings.
    pub enum AttackConfig: Attack by attack;

    /// Whether the model's answer is right, which needs its label alone.
    LabelOnly = "label-only",
    /// The model's own loss: low for a member.
    Loss = "loss",
    /// The loss, less that of models that were not trained on the example.
    CalibratedLoss = "calibrated-loss",
    /// Likelihood ratio: whether the confidence is more like that of models with the example, or without.
    Lira = "lira-online",
    /// Likelihood ratio, from models without the example only.
    LiraOffline = "lira-offline",
    /// The gain in probability over models without the example, compared with that of other examples.
    Rmia = "rmia",
}

impl AttackConfig {
    /// Runs the attack: `[examples]`, a score for each, higher for a member.
    ///
    /// # Errors
    ///
    /// Where a setting is wrong, a confidence is not finite, an example has too few shadow models that were, or were not,
    /// trained on it, or confidences that must differ are all the same.
    ///
    /// # Panics
    ///
    /// If the lengths of the slices do not fit each other.
    pub fn run(&self, evidence: Evidence<'_>) -> Result<Vec<f64>, PrivacyError> {
        let attack = self.attack();
        attack.check()?;
        evidence.check()?;
        let (models, needs) = (evidence.models(), attack.needs());
        let inside = |example| evidence.shadows_of(example, true).count();
        let meets = |needs: Needs, inside: usize| needs.inside <= inside && needs.outside <= models - inside;
        let examples = 0..evidence.target.len();
        if let Some(example) = examples.clone().find(|example| !meets(needs, inside(*example))) {
            let counts: Vec<usize> = examples.map(inside).collect();
            let fits = |attack: &dyn Attack| counts.iter().all(|inside| meets(attack.needs(), *inside));
            let others = Self::all().into_iter().filter(|(_, _, config)| fits(config.attack()));
            return Err(PrivacyError::Shadows {
                attack: self.name(),
                example,
                inside: inside(example),
                outside: models - inside(example),
                needs,
                others: others.map(|(name, _, _)| name).collect(),
            });
        }
        attack.run(evidence)
    }
}

impl Evidence<'_> {
    /// How many shadow models there are.
    fn models(&self) -> usize {
        self.shadows.scores.len().checked_div(self.target.len()).unwrap_or(0)
    }

    /// The confidences in an example of the shadow models that were, or were not, trained on it.
    fn shadows_of(&self, example: usize, member: bool) -> impl Iterator<Item = f64> + '_ {
        let Shadows { scores, members } = self.shadows;
        let places = (0..self.models()).map(move |model| model * self.target.len() + example);
        places.filter(move |place| members[*place] == member).map(|place| scores[place])
    }

    fn check(&self) -> Result<(), PrivacyError> {
        let Shadows { scores, members } = self.shadows;
        let examples = self.target.len();
        assert_eq!(self.right.len(), examples, "whether each example is answered rightly");
        assert_eq!(scores.len(), members.len(), "one membership for each shadow model's confidence");
        assert_eq!(scores.len(), self.models() * examples, "a shadow model's confidence for each example");
        finite("the model", self.target, examples)?;
        finite("a shadow model", scores, examples)?;
        if let Some(Population { target, shadows }) = self.population {
            assert_eq!(
                shadows.len(),
                self.models() * target.len(),
                "a shadow model's confidence for each other example"
            );
            if target.is_empty() {
                return Err(PrivacyError::NoPopulation);
            }
            finite("the model, asked for the population,", target, target.len())?;
            finite("a shadow model, asked for the population,", shadows, target.len())?;
        }
        Ok(())
    }
}

fn finite(whose: &'static str, scores: &[f64], examples: usize) -> Result<(), PrivacyError> {
    match scores.iter().position(|score| !score.is_finite()) {
        Some(place) => {
            Err(PrivacyError::Confidence { whose, example: place % examples, value: scores[place] })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
