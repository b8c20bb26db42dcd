//! Whether groups are treated alike: a metric is one file, its difference and its ratio between groups are checks.

mod accuracy;
mod counterfactual_flips;
mod demographic_parity;
mod difference;
mod equal_opportunity;
mod equalized_odds;
mod frontier;
mod groups;
mod predictive_parity;
mod ratio;

use crucible_measure::fairness::{Comparison, Gap, Outcomes, Rate, thresholds::Parity};

pub(crate) use counterfactual_flips::CounterfactualFlips;
use difference::Difference;
use ratio::Ratio;

pub(crate) type AccuracyDifference = Difference<accuracy::Accuracy>;
pub(crate) type DemographicParityDifference = Difference<demographic_parity::DemographicParity>;
pub(crate) type DemographicParityRatio = Ratio<demographic_parity::DemographicParity>;
pub(crate) type EqualOpportunityDifference = Difference<equal_opportunity::EqualOpportunity>;
pub(crate) type EqualizedOddsDifference = Difference<equalized_odds::EqualizedOdds>;
pub(crate) type EqualizedOddsRatio = Ratio<equalized_odds::EqualizedOdds>;
pub(crate) type PredictiveParityDifference = Difference<predictive_parity::PredictiveParity>;

/// A notion of fairness: rates that should be equal between groups.
pub(crate) trait Metric: std::fmt::Debug + Clone + PartialEq + schemars::JsonSchema + 'static {
    /// Its name, for people.
    const TITLE: &'static str;
    /// What is compared, in words that go into "… of {rate}".
    const RATES: &'static [(Rate, &'static str)];
    /// What equality would mean, in a sentence.
    const MEANS: &'static str;

    /// What thresholds by group can make equal.
    const PARITY: Option<Parity> = None;

    /// How far groups lie apart; none where too few are large enough.
    fn gap(outcomes: &[Outcomes], how: Comparison) -> Option<Gap> {
        let (rate, _) = Self::RATES.first()?;
        crucible_measure::fairness::disparity(*rate, outcomes, how).gap
    }
}
