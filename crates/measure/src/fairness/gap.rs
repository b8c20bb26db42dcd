use serde::{Deserialize, Serialize};

use super::difference::{rate_difference, ratio_interval};
use crate::estimate::Estimate;
use crate::interval::{Interval, Proportion};

/// How groups are compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Groups with fewer trials are left out and flagged: their shares say nothing.
    pub least: u64,
    /// Probability that the intervals hold the truth.
    pub confidence: f64,
}

impl Default for Comparison {
    /// Thirty trials, below which an interval at 95% is up to 0.34 wide; and 95%.
    fn default() -> Self {
        Self { least: 30, confidence: 0.95 }
    }
}

/// The distance between the groups that differ most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// The highest share less the lowest, in [0, 1]; 0 is fair.
    pub difference: Estimate,
    /// The lowest share divided by the highest, in [0, 1]; 1 is fair. `None` where all are 0.
    pub ratio: Option<Estimate>,
}

impl Gap {
    /// The largest gap within several families of shares, each with one share for each group; `None` where no family has
    /// two groups that are large enough.
    ///
    /// The groups that happen to be highest and lowest differ more than they truly do. The intervals allow for it: they
    /// hold at once for all pairs, each at a confidence of 1 − (1 − confidence)/pairs (Bonferroni), and the interval of
    /// the largest gap follows from them. So it is wide for many groups.
    pub(super) fn within(families: &[Vec<Proportion>], how: Comparison) -> Option<Self> {
        let pairs: Vec<(Proportion, Proportion)> =
            families.iter().flat_map(|f| ordered_pairs(f, how)).collect();
        if pairs.is_empty() {
            return None;
        }
        // Each unordered pair is there twice.
        let confidence = 1.0 - (1.0 - how.confidence) / (0.5 * pairs.len() as f64);
        let differences = pairs.iter().filter_map(|(a, b)| rate_difference(*a, *b, confidence));
        let start = Interval { low: 0.0, high: 0.0 };
        let (value, interval) = differences.fold((0.0f64, start), |(value, whole), one| {
            let (low, high) = one.interval.map_or((0.0, 1.0), |i| (i.low, i.high));
            (value.max(one.value), Interval { low: whole.low.max(low), high: whole.high.max(high) })
        });
        let ratio = ratio(&pairs, confidence);
        Some(Self { difference: Estimate { value, interval: Some(interval) }, ratio })
    }
}

fn ratio(pairs: &[(Proportion, Proportion)], confidence: f64) -> Option<Estimate> {
    let quotient = |(a, b): &(Proportion, Proportion)| {
        let (p, q) = (a.estimate()?, b.estimate()?);
        (q > 0.0).then(|| p / q)
    };
    let value = pairs.iter().filter_map(quotient).reduce(f64::min)?;
    let interval = pairs.iter().fold(Interval { low: 1.0, high: 1.0 }, |whole, (a, b)| {
        let one = ratio_interval(*a, *b, confidence);
        Interval { low: whole.low.min(one.low), high: whole.high.min(one.high) }
    });
    Some(Estimate { value, interval: Some(interval) })
}

/// Both orders of every pair of groups that are large enough.
fn ordered_pairs(shares: &[Proportion], how: Comparison) -> Vec<(Proportion, Proportion)> {
    let enough = |(_, share): &(usize, &Proportion)| share.trials >= how.least.max(1);
    let kept: Vec<(usize, &Proportion)> = shares.iter().enumerate().filter(enough).collect();
    let pairs = kept.iter().flat_map(|(i, a)| kept.iter().map(move |(j, b)| (i, j, **a, **b)));
    pairs.filter(|(i, j, _, _)| i != j).map(|(_, _, a, b)| (a, b)).collect()
}
