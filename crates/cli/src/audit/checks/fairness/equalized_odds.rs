use crucible_measure::fairness::{Comparison, Gap, Outcomes, Rate, equalized_odds, thresholds::Parity};

use super::Metric;

/// Errors of both kinds are equally frequent in every group (Hardt et al., 2016).
#[derive(Debug, Clone, PartialEq, schemars::JsonSchema)]
pub(crate) struct EqualizedOdds;

impl Metric for EqualizedOdds {
    const TITLE: &'static str = "Equalized odds";
    const RATES: &'static [(Rate, &'static str)] =
        &[(Rate::TruePositive, "true positives"), (Rate::FalsePositive, "false positives")];
    const MEANS: &'static str = "errors of both kinds are equally frequent in every group.";
    const PARITY: Option<Parity> = Some(Parity::EqualizedOdds);

    fn gap(outcomes: &[Outcomes], how: Comparison) -> Option<Gap> {
        equalized_odds(outcomes, how)
    }
}
