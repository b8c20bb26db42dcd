use serde::{Deserialize, Serialize};

use super::curve::{Curve, NoThresholds, Parity, Scored};
use super::hull::{Corner, around, height, upper_hull};
use crate::fairness::Groups;

/// Two thresholds for each group that chance chooses between, so that the groups' rates are exactly equal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomizedThresholds {
    /// One for each group.
    pub mixtures: Vec<Mixture>,
    /// The rate that all groups have: of selection for demographic parity, of true positives for equal opportunity, of
    /// false positives for equalized odds.
    pub target: f64,
    /// The expected share of all examples that is called rightly.
    pub accuracy: f64,
}

/// How one group's answers are drawn: with the probability `ignored` positive with the probability `constant`, whatever the
/// score; otherwise by one of the thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// The higher threshold; infinite where it calls none positive.
    pub strict: f64,
    /// The lower threshold.
    pub lenient: f64,
    /// The probability of the lower one.
    pub share: f64,
    /// The probability that the score is ignored; 0 but for equalized odds.
    pub ignored: f64,
    /// The probability of a positive answer then.
    pub constant: f64,
}

impl Mixture {
    /// The probability that an example of this score is called positive. Scores equal to a threshold are above it.
    pub fn probability(&self, score: f64) -> f64 {
        let reaches = |threshold: f64| f64::from(u8::from(score >= threshold));
        let by_score = self.share * reaches(self.lenient) + (1.0 - self.share) * reaches(self.strict);
        self.ignored * self.constant + (1.0 - self.ignored) * by_score
    }
}

impl RandomizedThresholds {
    /// The most accurate mixtures under which the rates are equal between groups.
    ///
    /// Along the target the accuracy is concave, of straight parts: it is best where two of them meet.
    ///
    /// # Errors
    ///
    /// Where a group has no rates, or a score is NaN.
    ///
    /// # Panics
    ///
    /// If the examples' scores, labels and groups differ in number.
    pub fn fit(examples: Scored<'_>, parity: Parity) -> Result<Self, NoThresholds> {
        let frontiers = Frontiers::new(examples, parity)?;
        let best = |best: f64, x: f64| {
            if frontiers.accuracy(x) > frontiers.accuracy(best) { x } else { best }
        };
        let target = frontiers.meetings().into_iter().fold(0.0, best);
        Ok(frontiers.at(target))
    }

    /// The mixtures that have a given target rate in every group.
    ///
    /// # Errors
    ///
    /// As [`fit`](Self::fit) has them.
    ///
    /// # Panics
    ///
    /// As [`fit`](Self::fit) does, and if `target` is not between 0 and 1.
    pub fn at(examples: Scored<'_>, parity: Parity, target: f64) -> Result<Self, NoThresholds> {
        assert!((0.0..=1.0).contains(&target), "a target rate of {target}");
        Ok(Frontiers::new(examples, parity)?.at(target))
    }

    /// The probability that each example is called positive; whoever decides draws by it.
    ///
    /// # Panics
    ///
    /// If there is not one score for each example, or a group was not fitted.
    pub fn probabilities(&self, scores: &[f64], groups: &Groups) -> Vec<f64> {
        assert_eq!(scores.len(), groups.len(), "a score for each example");
        let pairs = scores.iter().zip(groups.labels());
        pairs.map(|(score, group)| self.mixtures[*group].probability(*score)).collect()
    }
}

/// Of each group what chance between two thresholds can reach: right answers over the rate that is to be equal or, for
/// equalized odds, true over false positive rates.
struct Frontiers {
    parity: Parity,
    curves: Vec<Curve>,
    hulls: Vec<Vec<Corner>>,
    all: f64,
}

impl Frontiers {
    fn new(examples: Scored<'_>, parity: Parity) -> Result<Self, NoThresholds> {
        let curves = examples.curves()?;
        let hull = |curve: &Curve| {
            upper_hull(curve.points.iter().map(|point| {
                let y = if parity == Parity::EqualizedOdds { point.true_positives } else { point.right };
                Corner { threshold: point.threshold, x: point.rates(parity)[0], y }
            }))
        };
        let hulls = curves.iter().map(hull).collect();
        Ok(Self { parity, curves, hulls, all: examples.scores.len() as f64 })
    }

    /// The height that every group reaches: for equalized odds, the lowest true positive rate.
    fn common(&self, x: f64) -> f64 {
        self.hulls.iter().map(|hull| height(hull, x)).fold(f64::INFINITY, f64::min)
    }

    /// The expected share of right answers at a target.
    fn accuracy(&self, x: f64) -> f64 {
        let right: f64 = match self.parity {
            Parity::EqualizedOdds => {
                let y = self.common(x);
                self.curves.iter().map(|curve| y * curve.positives + (1.0 - x) * curve.negatives).sum()
            }
            _ => self.hulls.iter().map(|hull| height(hull, x)).sum(),
        };
        right / self.all
    }

    /// Where straight parts meet: the corners of all hulls and, for equalized odds, also where hulls cross.
    fn meetings(&self) -> Vec<f64> {
        let mut corners: Vec<f64> = self.hulls.iter().flatten().map(|corner| corner.x).collect();
        corners.sort_by(f64::total_cmp);
        corners.dedup();
        if self.parity != Parity::EqualizedOdds {
            return corners;
        }
        let crossings = corners.windows(2).flat_map(|ends| self.crossings(ends[0], ends[1]));
        crossings.chain(corners.iter().copied()).collect()
    }

    /// Where hulls that are straight from `left` to `right` cross between.
    fn crossings(&self, left: f64, right: f64) -> Vec<f64> {
        let ends: Vec<[f64; 2]> =
            self.hulls.iter().map(|hull| [left, right].map(|x| height(hull, x))).collect();
        let mut found = Vec::new();
        for (i, [a, b]) in ends.iter().enumerate() {
            for [c, d] in &ends[..i] {
                let (before, after) = (a - c, b - d);
                if before * after < 0.0 {
                    found.push(left + (right - left) * before / (before - after));
                }
            }
        }
        found
    }

    fn at(&self, target: f64) -> RandomizedThresholds {
        let common = self.common(target);
        let mixture = |hull: &Vec<Corner>| {
            let (left, right, share) = around(hull, target);
            let top = height(hull, target);
            // A group that reaches higher ignores scores so often that it does not.
            let ignored = match self.parity {
                Parity::EqualizedOdds if top > target => (top - common) / (top - target),
                _ => 0.0,
            };
            Mixture { strict: left.threshold, lenient: right.threshold, share, ignored, constant: target }
        };
        RandomizedThresholds {
            mixtures: self.hulls.iter().map(mixture).collect(),
            target,
            accuracy: self.accuracy(target),
        }
    }
}
