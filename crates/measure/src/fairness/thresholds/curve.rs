use serde::{Deserialize, Serialize};

use crate::fairness::Groups;
use crate::roc::Roc;

/// What is to be equal between groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parity {
    /// The share called positive.
    Demographic,
    /// The share of positives called so.
    EqualOpportunity,
    /// That, and the share of negatives called positive.
    EqualizedOdds,
}

/// Examples that a model scored, higher for the positive class.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// The model's score of each example.
    pub scores: &'a [f64],
    /// Whether each is positive.
    pub actual: &'a [bool],
    /// The group of each.
    pub groups: &'a Groups,
}

/// Why a group has no threshold to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoThresholds {
    /// A group lacks positives or negatives, or both, so that its rates are unknown.
    OneClass {
        /// The group.
        group: usize,
    },
    /// A score is NaN.
    NotANumber,
    /// There are no groups.
    NoGroups,
}

impl std::fmt::Display for NoThresholds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OneClass { group } => write!(f, "group {group} does not have both positives and negatives"),
            Self::NotANumber => f.write_str("a score is NaN"),
            Self::NoGroups => f.write_str("there are no groups"),
        }
    }
}

impl std::error::Error for NoThresholds {}

/// What a threshold does in a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// Scores at least as high are called positive.
    pub(super) threshold: f64,
    pub(super) selected: f64,
    pub(super) true_positives: f64,
    pub(super) false_positives: f64,
    /// Number of right answers.
    pub(super) right: f64,
}

impl Point {
    /// The rates that are to be equal; of one, the same twice.
    pub(super) fn rates(&self, parity: Parity) -> [f64; 2] {
        match parity {
            Parity::Demographic => [self.selected; 2],
            Parity::EqualOpportunity => [self.true_positives; 2],
            Parity::EqualizedOdds => [self.false_positives, self.true_positives],
        }
    }
}

/// Every threshold of a group, by rising rates.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    pub(super) points: Vec<Point>,
    pub(super) positives: f64,
    pub(super) negatives: f64,
}

impl Scored<'_> {
    /// The curve of each group.
    pub(super) fn curves(&self) -> Result<Vec<Curve>, NoThresholds> {
        assert_eq!(self.scores.len(), self.groups.len(), "a score for each example");
        assert_eq!(self.actual.len(), self.groups.len(), "a label for each example");
        if self.scores.iter().any(|score| score.is_nan()) {
            return Err(NoThresholds::NotANumber);
        }
        if self.groups.count() == 0 {
            return Err(NoThresholds::NoGroups);
        }
        (0..self.groups.count()).map(|group| self.curve(group)).collect()
    }

    fn curve(&self, group: usize) -> Result<Curve, NoThresholds> {
        let members = self.groups.members(group);
        let (positive, negative): (Vec<usize>, Vec<usize>) = members.iter().partition(|i| self.actual[**i]);
        let scores = |of: &[usize]| of.iter().map(|i| self.scores[*i]).collect::<Vec<f64>>();
        let roc = Roc::new(&scores(&positive), &scores(&negative));
        let roc = roc.map_err(|_| NoThresholds::OneClass { group })?;
        let (positives, negatives) = (positive.len() as f64, negative.len() as f64);
        let point = |at: &crate::roc::OperatingPoint| {
            let (found, wrong) = (at.true_positives.successes as f64, at.false_positives.successes as f64);
            Point {
                threshold: at.threshold,
                selected: (found + wrong) / (positives + negatives),
                true_positives: found / positives,
                false_positives: wrong / negatives,
                right: found + negatives - wrong,
            }
        };
        Ok(Curve { points: roc.points().iter().map(point).collect(), positives, negatives })
    }
}
