use crucible_measure::fairness::{Rate, thresholds::Parity};

use super::Metric;

/// Those who deserve the favourable answer get it equally often in every group.
#[derive(Debug, Clone, PartialEq, schemars::JsonSchema)]
pub(crate) struct EqualOpportunity;

impl Metric for EqualOpportunity {
    const TITLE: &'static str = "Equal opportunity";
    const RATES: &'static [(Rate, &'static str)] = &[(Rate::TruePositive, "true positives")];
    const MEANS: &'static str =
        "those who deserve the favourable answer get it equally often in every group.";
    const PARITY: Option<Parity> = Some(Parity::EqualOpportunity);
}
