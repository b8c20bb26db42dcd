use serde::{Deserialize, Serialize};

use crate::interval::Proportion;

/// What answering only the most confident examples does, for every threshold of the confidence.
///
/// Source: R. El-Yaniv, Y. Wiener, "On the foundations of noise-free selective classification", JMLR 11 (2010);
/// Y. Geifman, R. El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017.
#[derive(Clone, Debug, PartialEq)]
pub struct RiskCoverage {
    points: Vec<CoveragePoint>,
}

/// What a threshold does: examples at least as confident are answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoveragePoint {
    /// The least confidence that is answered.
    pub threshold: f64,
    /// Of all examples, those that are answered.
    pub coverage: Proportion,
    /// Of those that are answered, the ones answered rightly.
    pub accuracy: Proportion,
}

impl RiskCoverage {
    /// The curve of answers by their confidence, in any unit, higher where more is known: the largest probability, or less
    /// any score of [`detection`](crate::detection). `None` without examples, or where a confidence is NaN.
    ///
    /// # Panics
    ///
    /// If the slices differ in length.
    pub fn new(confidences: &[f64], correct: &[bool]) -> Option<Self> {
        assert_eq!(confidences.len(), correct.len(), "whether each answer is right");
        if confidences.is_empty() || confidences.iter().any(|confidence| confidence.is_nan()) {
            return None;
        }
        let mut answers: Vec<(f64, bool)> =
            confidences.iter().copied().zip(correct.iter().copied()).collect();
        answers.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let all = answers.len() as u64;
        let (mut answered, mut right) = (0, 0);
        let point = |tied: &[(f64, bool)]| {
            answered += tied.len() as u64;
            right += tied.iter().filter(|(_, correct)| *correct).count() as u64;
            CoveragePoint {
                threshold: tied[0].0,
                coverage: Proportion { successes: answered, trials: all },
                accuracy: Proportion { successes: right, trials: answered },
            }
        };
        Some(Self { points: answers.chunk_by(|(a, _), (b, _)| a == b).map(point).collect() })
    }

    /// A point for each distinct confidence, by falling threshold; the last answers everything.
    pub fn points(&self) -> &[CoveragePoint] {
        &self.points
    }

    /// The point of the highest threshold that answers a share of at least `coverage`. More than asked for is answered
    /// where many have the same confidence.
    ///
    /// # Panics
    ///
    /// If `coverage` is not between 0 and 1.
    pub fn at_coverage(&self, coverage: f64) -> CoveragePoint {
        assert!((0.0..=1.0).contains(&coverage), "a coverage of {coverage}");
        let lacks = |point: &CoveragePoint| {
            (point.coverage.successes as f64 / point.coverage.trials as f64) < coverage
        };
        self.points[self.points.partition_point(lacks)]
    }

    /// The point that answers most, of those whose answers are right in a share of at least `accuracy`; `None` where none
    /// is. The best threshold for these very examples: for others it is a little worse.
    ///
    /// # Panics
    ///
    /// If `accuracy` is not between 0 and 1.
    pub fn at_accuracy(&self, accuracy: f64) -> Option<CoveragePoint> {
        assert!((0.0..=1.0).contains(&accuracy), "an accuracy of {accuracy}");
        let fits = |point: &&CoveragePoint| point.accuracy.estimate().is_some_and(|found| found >= accuracy);
        self.points.iter().rev().find(fits).copied()
    }
}
