//! What stands against an attacker.

mod certified_linf;
mod robust_l2;
mod robust_linf;

use crucible_data::seed;
use crucible_measure::{Proportion, limits::Limit};
use crucible_report::{Level, Note};
use crucible_robust::{AttackConfig, Norm, Threat, Victim, attacks::Auto};

pub(crate) use certified_linf::CertifiedLinf;
pub(crate) use robust_l2::RobustL2;
pub(crate) use robust_linf::RobustLinf;

use crate::{
    audit::{Finding, Subject, Unmeasured, finding::skip},
    commands::attack::valid_inputs,
    view,
};

/// The attack where none is named.
fn auto() -> AttackConfig {
    AttackConfig::Auto(Auto::default())
}

/// Examples that are attacked where nothing else is said.
fn thousand() -> usize {
    1000
}

/// What an attacker may do, and how it is tried.
struct Attempt<'a> {
    norm: Norm,
    eps: f32,
    attack: &'a AttackConfig,
    examples: usize,
    min: f64,
}

impl Attempt<'_> {
    fn title(&self) -> String {
        format!("Robust accuracy within {} {}", self.norm, self.eps)
    }

    fn limit(&self) -> Limit {
        Limit::Min(self.min)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let (split, examples) = subject.held_out()?;
        let view = subject.view()?;
        let threat = Threat::new(self.norm, self.eps, view.range)?;
        let inputs = valid_inputs(examples, self.examples.min(examples.len()), view.range);
        let batch = view::batch(examples, &inputs);
        let mut rng = seed::stream(subject.seed, "audit/attack", 0);
        let found = self.attack.run(Victim::WhiteBox(&view.model), batch, &threat, &mut rng)?;
        let clean =
            view.answers(&inputs).iter().zip(batch.labels).filter(|(answer, label)| answer == label).count();
        let clean = Proportion { successes: clean as u64, trials: batch.labels.len() as u64 };
        let meaning = |share: f64| {
            format!(
                "Of {} {split} examples {:.2}% stay right whatever the attack finds, {:.2}% without one.",
                batch.labels.len(),
                100.0 * share,
                100.0 * clean.estimate().unwrap_or(0.0)
            )
        };
        let method = format!(
            "Attack `{}` on the first {} examples; an upper bound on what a better attack would \
             leave. Wilson's interval.",
            self.attack.name(),
            batch.labels.len()
        );
        let warned = found.warnings.iter().map(ToString::to_string);
        let finding = Finding::share(found.robust(), meaning, method);
        let Some(finding) = finding else { return skip("there are no examples") };
        Ok(warned.fold(finding, |finding, text| finding.detail(Note { level: Level::Warning, text })))
    }
}
