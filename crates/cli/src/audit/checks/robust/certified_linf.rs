use crucible_data::seed;
use crucible_measure::{Proportion, limits::Limit};
use crucible_robust::{
    Norm, Threat,
    certify::{CertificateConfig, CrownIbp, Subject as Certified},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::thousand;
use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unmeasured, finding::skip},
    commands::attack::valid_inputs,
    view,
};

/// The share of unseen examples that the network gets right by proof, whatever happens within L∞ `eps`: a lower bound on
/// robust accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertifiedLinf {
    /// The least share.
    #[schemars(range(min = 0.0, max = 1.0))]
    min: f64,
    /// The largest change; for pictures in units where 0 is black and 1 is white.
    #[schemars(range(min = 0.0))]
    eps: f32,
    /// The certificate: one that speaks of L∞.
    #[serde(default = "lines")]
    method: CertificateConfig,
    /// The first so many unseen examples are certified.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1))]
    examples: usize,
}

fn lines() -> CertificateConfig {
    CertificateConfig::CrownIbp(CrownIbp::default())
}

impl Check for CertifiedLinf {
    const CONCERN: Concern = Concern::Robustness;
    const NEEDS: Needs = Needs::Gradients;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        format!("Certified accuracy within L∞ {}", self.eps)
    }

    fn limit(&self) -> Limit {
        Limit::Min(self.min)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        if self.method.certificate().norm() != Norm::Linf {
            return skip(format!("`{}` proves nothing of L∞", self.method.name()));
        }
        let run = subject.run()?;
        let network = &run.network;
        if network.program().is_some() {
            return skip("the network answers in integers, and the proof is about floats");
        }
        let (split, examples) = subject.held_out()?;
        let view = subject.view()?;
        let threat = Threat::new(Norm::Linf, self.eps, view.range)?;
        let inputs = valid_inputs(examples, self.examples.min(examples.len()), view.range);
        let certified =
            Certified { model: &view.model, network, scaling: &view.scaling, device: &run.device };
        let mut rng = seed::stream(subject.seed, "audit/certify", 0);
        let batch = view::batch(examples, &inputs);
        let verdicts = self.method.run(certified, batch, &threat, &mut rng)?;
        let certain = verdicts.iter().filter(|verdict| verdict.certain).count();
        let share = Proportion { successes: certain as u64, trials: verdicts.len() as u64 };
        let meaning = |share: f64| {
            format!(
                "Of {} {split} examples {:.2}% are right whatever an attacker does.",
                verdicts.len(),
                100.0 * share
            )
        };
        let method = format!(
            "Certificate `{}` on the first {} examples; Wilson's interval.",
            self.method.name(),
            verdicts.len()
        );
        Finding::share(share, meaning, method).map_or_else(|| skip("there are no examples"), Ok)
    }
}
