use serde::{Deserialize, Serialize};

use super::{Comparison, Gap, Outcomes, Rate};
use crate::interval::{Interval, Proportion};

/// A rate in each group, and how far groups lie apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disparity {
    /// What is compared.
    pub rate: Rate,
    /// In order of the groups.
    pub groups: Vec<GroupRate>,
    /// Between the highest and the lowest group; `None` where fewer than two are large enough.
    pub gap: Option<Gap>,
}

/// A rate in one group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRate {
    /// The share.
    pub share: Proportion,
    /// Its Wilson interval, of this group alone.
    pub interval: Interval,
    /// Whether the group has too few trials to say anything, so that it is in no gap.
    pub too_small: bool,
}

/// Compares a rate between groups.
///
/// # Panics
///
/// If the comparison's confidence is not strictly between 0 and 1.
pub fn disparity(rate: Rate, outcomes: &[Outcomes], how: Comparison) -> Disparity {
    let shares: Vec<Proportion> = outcomes.iter().map(|outcomes| rate.of(outcomes)).collect();
    let group = |share: &Proportion| GroupRate {
        share: *share,
        interval: share.interval(how.confidence),
        too_small: share.trials < how.least.max(1),
    };
    Disparity { rate, groups: shares.iter().map(group).collect(), gap: Gap::within(&[shares], how) }
}

/// Equalized odds: the larger of the differences, and the smaller of the ratios, of true and of false positive rates
/// between groups. `None` where fewer than two groups have positives enough, and fewer than two negatives enough.
///
/// Source: M. Hardt, E. Price, N. Srebro, "Equality of opportunity in supervised learning", NeurIPS 2016; as Fairlearn's
/// `equalized_odds_difference` and `equalized_odds_ratio`.
///
/// # Panics
///
/// If the comparison's confidence is not strictly between 0 and 1.
pub fn equalized_odds(outcomes: &[Outcomes], how: Comparison) -> Option<Gap> {
    let of = |rate: Rate| outcomes.iter().map(|outcomes| rate.of(outcomes)).collect();
    Gap::within(&[of(Rate::TruePositive), of(Rate::FalsePositive)], how)
}
