use serde::{Deserialize, Serialize};

use super::curve::{Curve, NoThresholds, Parity, Point, Scored};
use crate::fairness::Groups;

/// One threshold for each group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupThresholds {
    /// Of each group the least score that is called positive; infinite where none is.
    pub thresholds: Vec<f64>,
    /// By how much the rates differ at most between groups, in [0, 1].
    pub gap: f64,
    /// The share of all examples that is called rightly.
    pub accuracy: f64,
    /// How much accuracy parity costs: what thresholds without it would have more.
    pub cost: f64,
}

/// Thresholds that are tried of a group, evenly in order, and of all groups, of each of which 16 are even so.
const TRIED: usize = 256;
const TRIED_OF_ALL: usize = 4096;

impl GroupThresholds {
    /// The most accurate thresholds under which the rates differ by at most `tolerance` between groups. Of each
    /// group at most 256 thresholds are tried, evenly over its examples, and the most accurate one; fewer of more than 16
    /// groups, since for equalized odds the time grows with the square of all.
    ///
    /// # Errors
    ///
    /// Where a group has no rates, or a score is NaN.
    ///
    /// # Panics
    ///
    /// If the examples' scores, labels and groups differ in number, or `tolerance` is negative.
    pub fn fit(examples: Scored<'_>, parity: Parity, tolerance: f64) -> Result<Self, NoThresholds> {
        Ok(Self::frontier(examples, parity, &[tolerance])?.remove(0))
    }

    /// [`fit`](Self::fit) for each of several tolerances: the frontier between accuracy and parity.
    ///
    /// # Errors
    ///
    /// As [`fit`](Self::fit) has them.
    ///
    /// # Panics
    ///
    /// As [`fit`](Self::fit) does.
    pub fn frontier(
        examples: Scored<'_>,
        parity: Parity,
        tolerances: &[f64],
    ) -> Result<Vec<Self>, NoThresholds> {
        assert!(tolerances.iter().all(|tolerance| *tolerance >= 0.0), "a negative tolerance");
        let curves = examples.curves()?;
        let tried = (TRIED_OF_ALL / curves.len()).clamp(16, TRIED);
        let candidates: Vec<Candidates> =
            curves.iter().map(|curve| Candidates::new(curve, parity, tried)).collect();
        let all = examples.scores.len() as f64;
        let free: f64 = candidates.iter().map(|group| group.points[group.best].right).sum();
        let fit = |tolerance: &f64| {
            let chosen = search(&candidates, parity, *tolerance);
            let right: f64 = chosen.iter().map(|point| point.right).sum();
            Self {
                thresholds: chosen.iter().map(|point| point.threshold).collect(),
                gap: gap(&chosen, parity),
                accuracy: right / all,
                cost: (free - right) / all,
            }
        };
        Ok(tolerances.iter().map(fit).collect())
    }

    /// Whether each example is called positive.
    ///
    /// # Panics
    ///
    /// If there is not one score for each example, or a group was not fitted.
    pub fn apply(&self, scores: &[f64], groups: &Groups) -> Vec<bool> {
        assert_eq!(scores.len(), groups.len(), "a score for each example");
        scores.iter().zip(groups.labels()).map(|(score, group)| *score >= self.thresholds[*group]).collect()
    }
}

/// Thresholds of a group to choose from, by rising rates.
struct Candidates {
    points: Vec<Point>,
    /// Of each point the two rates that are to be equal.
    rates: Vec<[f64; 2]>,
    /// The most accurate point.
    best: usize,
    /// `within[i][j]`: the most accurate point from i to i + j.
    within: Vec<Vec<usize>>,
}

impl Candidates {
    fn new(curve: &Curve, parity: Parity, tried: usize) -> Self {
        let all = &curve.points;
        let most = (1..all.len()).fold(0, |best, at| if all[at].right > all[best].right { at } else { best });
        let steps = tried.min(all.len());
        let mut kept: Vec<usize> =
            (0..steps).map(|step| step * (all.len() - 1) / (steps - 1).max(1)).chain([most]).collect();
        kept.sort_unstable();
        kept.dedup();
        let points: Vec<Point> = kept.iter().map(|at| all[*at]).collect();
        let running = |from: usize| {
            let mut best = from;
            let step = |at: usize| {
                best = if points[at].right > points[best].right { at } else { best };
                best
            };
            (from..points.len()).map(step).collect()
        };
        Self {
            within: (0..points.len()).map(running).collect(),
            rates: points.iter().map(|point| point.rates(parity)).collect(),
            best: kept.partition_point(|at| *at < most),
            points,
        }
    }

    /// The places of the points whose rate `which` lies from `low` to `high`.
    fn range(&self, which: usize, low: f64, high: f64) -> [usize; 2] {
        let start = self.rates.partition_point(|rates| rates[which] < low);
        [start, self.rates.partition_point(|rates| rates[which] <= high)]
    }

    /// The most accurate point of the places from the later start up to the earlier end; `None` where there are none.
    fn best_in(&self, [a, b]: [usize; 2], [c, d]: [usize; 2]) -> Option<usize> {
        let (start, end) = (a.max(c), b.min(d));
        (start < end).then(|| self.within[start][end - start - 1])
    }
}

/// The most accurate choice of a point for each group within the tolerance. Whatever is best has some least rates, which
/// are those of points: all of them are tried.
fn search(groups: &[Candidates], parity: Parity, tolerance: f64) -> Vec<Point> {
    // Rates of different groups are quotients of different numbers.
    let slack = 1e-12;
    let ranges = |which: usize| -> Vec<Vec<[usize; 2]>> {
        let mut anchors: Vec<f64> =
            groups.iter().flat_map(|g| g.rates.iter().map(move |r| r[which])).collect();
        anchors.sort_by(f64::total_cmp);
        anchors.dedup();
        let around =
            |low: &f64| groups.iter().map(|g| g.range(which, low - slack, low + tolerance + slack)).collect();
        anchors.iter().map(around).collect()
    };
    let first = ranges(0);
    let second = if parity == Parity::EqualizedOdds { Some(ranges(1)) } else { None };
    let mut best: Option<(f64, Vec<usize>)> = None;
    let mut consider = |one: &[[usize; 2]], two: &[[usize; 2]]| {
        let places = groups.iter().zip(one.iter().zip(two)).map(|(group, (a, b))| group.best_in(*a, *b));
        let Some(places) = places.collect::<Option<Vec<usize>>>() else { return };
        let right: f64 = groups.iter().zip(&places).map(|(group, at)| group.points[*at].right).sum();
        if best.as_ref().is_none_or(|(most, _)| right > *most) {
            best = Some((right, places));
        }
    };
    for one in &first {
        match &second {
            Some(second) => second.iter().for_each(|two| consider(one, two)),
            None => consider(one, one),
        }
    }
    // Calling nothing positive is within any tolerance, so that there is always a choice.
    let places = best.map_or_else(|| vec![0; groups.len()], |(_, places)| places);
    groups.iter().zip(places).map(|(group, at)| group.points[at]).collect()
}

fn gap(chosen: &[Point], parity: Parity) -> f64 {
    let spread = |which: usize| {
        let rates = || chosen.iter().map(move |point| point.rates(parity)[which]);
        rates().fold(0.0, f64::max) - rates().fold(1.0, f64::min)
    };
    spread(0).max(spread(1))
}
