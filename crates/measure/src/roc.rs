//! How well a score tells two groups apart, over every threshold.

use crate::interval::{Interval, Proportion, two_sided_z};

/// The receiver operating characteristic of a score: what each threshold finds, and what it finds wrongly.
///
/// Higher scores speak for the positives. Examples of equal scores are on the same side of any threshold, so that they
/// make one step, however they were ordered.
#[derive(Clone, Debug, PartialEq)]
pub struct Roc {
    positives: u64,
    negatives: u64,
    points: Vec<OperatingPoint>,
}

/// What a threshold does: examples whose score is at least as high are called positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    /// The threshold; ∞ for the first point, which calls nothing positive.
    pub threshold: f64,
    /// Of all positives, those that are found.
    pub true_positives: Proportion,
    /// Of all negatives, those that are called positive.
    pub false_positives: Proportion,
}

impl OperatingPoint {
    /// The mean of the shares of positives and of negatives that are called rightly.
    pub fn balanced_accuracy(&self) -> f64 {
        let share = |p: Proportion| p.successes as f64 / p.trials as f64;
        0.5 * (share(self.true_positives) + 1.0 - share(self.false_positives))
    }
}

/// Why scores have no receiver operating characteristic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoc {
    /// A group is empty.
    Empty {
        /// Number of positives.
        positives: usize,
        /// Number of negatives.
        negatives: usize,
    },
    /// A score is not a number, so that it lies on no side of a threshold.
    NotANumber,
}

impl std::fmt::Display for NoRoc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty { positives, negatives } => {
                write!(
                    f,
                    "telling two groups apart takes both, but there are {positives} positives and {negatives} negatives"
                )
            }
            Self::NotANumber => f.write_str("a score is NaN, which is neither above nor below a threshold"),
        }
    }
}

impl std::error::Error for NoRoc {}

impl Roc {
    /// The characteristic of the scores of the positives (members) and of the negatives (non-members).
    ///
    /// # Errors
    ///
    /// Where either is empty or a score is NaN. Infinite scores are well ordered.
    pub fn new(positives: &[f64], negatives: &[f64]) -> Result<Self, NoRoc> {
        if positives.is_empty() || negatives.is_empty() {
            return Err(NoRoc::Empty { positives: positives.len(), negatives: negatives.len() });
        }
        if positives.iter().chain(negatives).any(|score| score.is_nan()) {
            return Err(NoRoc::NotANumber);
        }
        let of = |scores: &[f64], positive| scores.iter().map(|&score| (score, positive)).collect::<Vec<_>>();
        let mut scores = [of(positives, true), of(negatives, false)].concat();
        scores.sort_by(|(a, _), (b, _)| b.total_cmp(a));

        let (all, others) = (positives.len() as u64, negatives.len() as u64);
        let mut found = [0, 0];
        let mut points = Vec::new();
        let mut mark = |threshold, [right, wrong]: [u64; 2]| {
            points.push(OperatingPoint {
                threshold,
                true_positives: Proportion { successes: right, trials: all },
                false_positives: Proportion { successes: wrong, trials: others },
            });
        };
        mark(f64::INFINITY, found);
        // Not by `total_cmp`: 0 and −0 are equal scores.
        for step in scores.chunk_by(|(a, _), (b, _)| a == b) {
            let right = step.iter().filter(|(_, positive)| *positive).count() as u64;
            found = [found[0] + right, found[1] + step.len() as u64 - right];
            mark(step[0].0, found);
        }
        Ok(Self { positives: all, negatives: others, points })
    }

    /// A point for each distinct score, by falling threshold, after the point (0, 0) that calls nothing positive. The last
    /// calls everything so.
    pub fn points(&self) -> &[OperatingPoint] {
        &self.points
    }

    /// The area under the curve, by trapezoids: the probability that a positive scores higher than a negative, where equal
    /// scores count one half (the statistic of Mann and Whitney). 0.5 tells nothing.
    pub fn auc(&self) -> f64 {
        // Counted in halves, which is exact.
        let halves: u128 = self
            .steps()
            .map(|step| u128::from(step.positives) * u128::from(2 * step.negatives_below + step.negatives))
            .sum();
        halves as f64 / (2.0 * self.positives as f64 * self.negatives as f64)
    }

    /// The interval of [`auc`](Self::auc): DeLong's standard error, normal approximation, cut at 0 and 1.
    ///
    /// DeLong's, since it supposes nothing of how scores are distributed, and scores of attacks have heavy tails; Hanley
    /// and McNeil's supposes exponential distributions. `None` where it knows of no spread: below two examples in a group,
    /// and where all scores are equal or the groups do not overlap, of which it would be certain with three examples.
    ///
    /// Source: E. DeLong, D. DeLong, D. Clarke-Pearson, "Comparing the areas under two or more correlated receiver
    /// operating characteristic curves", Biometrics 44 (1988).
    ///
    /// # Panics
    ///
    /// If `confidence` is not strictly between 0 and 1.
    pub fn auc_interval(&self, confidence: f64) -> Option<Interval> {
        let z = two_sided_z(confidence);
        if self.positives < 2 || self.negatives < 2 {
            return None;
        }
        let (auc, n, m) = (self.auc(), self.positives as f64, self.negatives as f64);
        // The share of the other group that each example is on the right side of.
        let (mut of_positives, mut of_negatives) = (0.0, 0.0);
        for step in self.steps() {
            let below = (step.negatives_below as f64 + 0.5 * step.negatives as f64) / m;
            let above = (step.positives_above as f64 + 0.5 * step.positives as f64) / n;
            of_positives += step.positives as f64 * (below - auc).powi(2);
            of_negatives += step.negatives as f64 * (above - auc).powi(2);
        }
        let error = (of_positives / (n * (n - 1.0)) + of_negatives / (m * (m - 1.0))).sqrt();
        let half = z * error;
        (error > 0.0).then(|| Interval { low: (auc - half).max(0.0), high: (auc + half).min(1.0) })
    }

    /// The point with the most true positives among those whose share of false positives is at most `most`.
    ///
    /// Its share of true positives, [`true_positives`](OperatingPoint::true_positives), has an interval by
    /// [`Proportion::exact_interval`], which takes the threshold as given: what choosing it among the negatives adds is
    /// not in it.
    ///
    /// # Panics
    ///
    /// If `most` is not between 0 and 1.
    pub fn at_false_positive_rate(&self, most: f64) -> OperatingPoint {
        assert!((0.0..=1.0).contains(&most), "a share of false positives of {most}");
        let fits =
            |point: &OperatingPoint| point.false_positives.successes as f64 / self.negatives as f64 <= most;
        // The first always fits: it calls nothing positive.
        self.points[self.points.partition_point(fits) - 1]
    }

    /// The point with the fewest false positives among those whose share of true positives is at least `least`: what it
    /// costs to find so many.
    ///
    /// # Panics
    ///
    /// If `least` is not between 0 and 1.
    pub fn at_true_positive_rate(&self, least: f64) -> OperatingPoint {
        assert!((0.0..=1.0).contains(&least), "a share of true positives of {least}");
        let lacks =
            |point: &OperatingPoint| (point.true_positives.successes as f64 / self.positives as f64) < least;
        // The last always fits: it calls everything positive.
        self.points[self.points.partition_point(lacks)]
    }

    /// The average precision: Σ (Rₙ − Rₙ₋₁) Pₙ over falling thresholds, of precision P and recall R; an estimate of the
    /// area under the precision-recall curve without the optimism of joining its points by lines. Useless scores have the
    /// share of positives among all examples.
    pub fn average_precision(&self) -> f64 {
        let term = |pair: &[OperatingPoint]| {
            let found = pair[1].true_positives.successes;
            let called = found + pair[1].false_positives.successes;
            (found - pair[0].true_positives.successes) as f64 * found as f64 / called as f64
        };
        self.points.windows(2).map(term).sum::<f64>() / self.positives as f64
    }

    /// [`average_precision`](Self::average_precision) at finding the negatives, by low scores.
    pub fn average_precision_of_negatives(&self) -> f64 {
        let term = |pair: &[OperatingPoint]| {
            let found = self.negatives - pair[0].false_positives.successes;
            let called = found + self.positives - pair[0].true_positives.successes;
            let new = pair[1].false_positives.successes - pair[0].false_positives.successes;
            new as f64 * found as f64 / called as f64
        };
        self.points.windows(2).map(term).sum::<f64>() / self.negatives as f64
    }

    /// The point of the largest balanced accuracy, the highest threshold of equals.
    ///
    /// The threshold is the best for these very examples, hence a little too good: even useless scores have one above 0.5.
    pub fn best(&self) -> OperatingPoint {
        let better = |best: OperatingPoint, point: &OperatingPoint| {
            if point.balanced_accuracy() > best.balanced_accuracy() { *point } else { best }
        };
        self.points.iter().fold(self.points[0], better)
    }

    fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        self.points.windows(2).map(|pair| Step {
            positives: pair[1].true_positives.successes - pair[0].true_positives.successes,
            negatives: pair[1].false_positives.successes - pair[0].false_positives.successes,
            positives_above: pair[0].true_positives.successes,
            negatives_below: self.negatives - pair[1].false_positives.successes,
        })
    }
}

/// The examples of one score, and how they lie among the others.
struct Step {
    positives: u64,
    negatives: u64,
    positives_above: u64,
    negatives_below: u64,
}
