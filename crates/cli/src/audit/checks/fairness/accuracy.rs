use crucible_measure::fairness::Rate;

use super::Metric;

/// The network is right equally often in every group.
#[derive(Debug, Clone, PartialEq, schemars::JsonSchema)]
pub(crate) struct Accuracy;

impl Metric for Accuracy {
    const TITLE: &'static str = "Accuracy";
    const RATES: &'static [(Rate, &'static str)] = &[(Rate::Accuracy, "accuracy")];
    const MEANS: &'static str = "the network is right equally often in every group.";
}
