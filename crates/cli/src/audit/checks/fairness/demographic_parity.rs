use crucible_measure::fairness::{Rate, thresholds::Parity};

use super::Metric;

/// Every group gets the favourable answer equally often.
#[derive(Debug, Clone, PartialEq, schemars::JsonSchema)]
pub(crate) struct DemographicParity;

impl Metric for DemographicParity {
    const TITLE: &'static str = "Demographic parity";
    const RATES: &'static [(Rate, &'static str)] = &[(Rate::Selection, "favourable answers")];
    const MEANS: &'static str = "every group gets the favourable answer equally often.";
    const PARITY: Option<Parity> = Some(Parity::Demographic);
}
