use crucible_measure::fairness::Rate;

use super::Metric;

/// A favourable answer is right equally often in every group.
#[derive(Debug, Clone, PartialEq, schemars::JsonSchema)]
pub(crate) struct PredictiveParity;

impl Metric for PredictiveParity {
    const TITLE: &'static str = "Predictive parity";
    const RATES: &'static [(Rate, &'static str)] = &[(Rate::Precision, "precision")];
    const MEANS: &'static str = "a favourable answer is right equally often in every group.";
}
