//! Right and wrong classes: the confusion matrix and what follows from it.

use serde::{Deserialize, Serialize};

use crate::interval::Proportion;

/// A confusion matrix: how often class `predicted` was answered where class `actual` was true.
///
/// Serialized as rows of counts, `[actual][predicted]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<u64>>", into = "Vec<Vec<u64>>")]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

/// Rows that make no confusion matrix: there are as many rows as there are counts in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSquare {
    /// Number of rows.
    pub rows: usize,
    /// Length of the first row that differs from it.
    pub row_len: usize,
}

impl std::fmt::Display for NotSquare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a confusion matrix is square, but {} rows came with a row of {}", self.rows, self.row_len)
    }
}

impl std::error::Error for NotSquare {}

/// What a confusion matrix says about one class, from its true positives TP, false positives FP and false negatives FN.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// TP/(TP + FP): of the answers "this class", the share that is right. Undefined where it was never answered.
    /// Its Wilson interval takes the number of such answers as given.
    pub precision: Proportion,
    /// TP/(TP + FN): of the samples of this class, the share that is found. Undefined without samples.
    pub recall: Proportion,
    /// 2TP/(2TP + FP + FN), the harmonic mean of the two. `None` only where the class neither occurs nor is answered;
    /// a class that occurs and is never answered has an F1 of 0.
    pub f1: Option<f64>,
    /// Number of samples of this class, TP + FN.
    pub support: u64,
}

/// Precision, recall and F1 averaged over those classes where each is defined; `None` where it is nowhere.
///
/// A class that is never answered drops out of the average precision, which flatters the model: F1 counts it as 0.
/// This is scikit-learn's `zero_division=nan`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// Average precision over classes. (Not the area under the precision-recall curve, which has the same name.)
    pub precision: Option<f64>,
    /// Average recall over classes.
    pub recall: Option<f64>,
    /// Average of the classes' F1.
    pub f1: Option<f64>,
}

impl Confusion {
    /// An empty matrix for labels `0..classes`.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Counts one sample.
    ///
    /// # Panics
    ///
    /// If a label is not below [`classes`](Self::classes).
    pub fn record(&mut self, actual: usize, predicted: usize) {
        let index = self.index(actual, predicted);
        self.counts[index] += 1;
    }

    /// Adds the counts of `other`, such as those of another batch or thread.
    ///
    /// # Panics
    ///
    /// If the two differ in their number of classes.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.classes, other.classes, "both matrices have the same classes");
        for (own, more) in self.counts.iter_mut().zip(&other.counts) {
            *own += more;
        }
    }

    /// How often `predicted` was answered where `actual` was true.
    ///
    /// # Panics
    ///
    /// If a label is not below [`classes`](Self::classes).
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        self.counts[self.index(actual, predicted)]
    }

    /// The counts as rows, `[actual][predicted]`.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        (0..self.classes).map(|actual| (0..self.classes).map(|p| self.count(actual, p)).collect()).collect()
    }

    /// Number of samples recorded.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Share of samples answered rightly.
    pub fn accuracy(&self) -> Proportion {
        let successes = (0..self.classes).map(|class| self.count(class, class)).sum();
        Proportion { successes, trials: self.total() }
    }

    /// Precision, recall, F1 and support of one class.
    ///
    /// # Panics
    ///
    /// If `class` is not below [`classes`](Self::classes).
    pub fn class(&self, class: usize) -> ClassMetrics {
        let hits = self.count(class, class);
        let support = (0..self.classes).map(|predicted| self.count(class, predicted)).sum();
        let answered = (0..self.classes).map(|actual| self.count(actual, class)).sum();
        // Row plus column counts TP twice, and so is 2TP + FP + FN.
        let both: u64 = support + answered;
        ClassMetrics {
            precision: Proportion { successes: hits, trials: answered },
            recall: Proportion { successes: hits, trials: support },
            f1: (both > 0).then(|| 2.0 * hits as f64 / both as f64),
            support,
        }
    }

    /// [`class`](Self::class) for every class, in order.
    pub fn per_class(&self) -> Vec<ClassMetrics> {
        (0..self.classes).map(|class| self.class(class)).collect()
    }

    /// Every class counts the same, however rare.
    pub fn macro_average(&self) -> Average {
        self.average(|_| 1.0)
    }

    /// Every class counts by its support.
    pub fn weighted_average(&self) -> Average {
        self.average(|class| class.support as f64)
    }

    fn average(&self, weight: impl Fn(&ClassMetrics) -> f64) -> Average {
        let classes = self.per_class();
        let over = |metric: fn(&ClassMetrics) -> Option<f64>| {
            let terms = classes.iter().filter_map(|class| Some((metric(class)?, weight(class))));
            let (sum, weights) = terms.fold((0.0, 0.0), |(sum, total), (m, w)| (sum + m * w, total + w));
            (weights > 0.0).then(|| sum / weights)
        };
        Average {
            precision: over(|class| class.precision.estimate()),
            recall: over(|class| class.recall.estimate()),
            f1: over(|class| class.f1),
        }
    }

    fn index(&self, actual: usize, predicted: usize) -> usize {
        let classes = self.classes;
        assert!(actual < classes && predicted < classes, "labels {actual}, {predicted} of {classes} classes");
        actual * classes + predicted
    }
}

impl TryFrom<Vec<Vec<u64>>> for Confusion {
    type Error = NotSquare;

    fn try_from(rows: Vec<Vec<u64>>) -> Result<Self, NotSquare> {
        match rows.iter().find(|row| row.len() != rows.len()) {
            Some(row) => Err(NotSquare { rows: rows.len(), row_len: row.len() }),
            None => Ok(Self { classes: rows.len(), counts: rows.concat() }),
        }
    }
}

impl From<Confusion> for Vec<Vec<u64>> {
    fn from(confusion: Confusion) -> Self {
        confusion.rows()
    }
}

/// Top-k accuracy: the share of samples whose target is among the `k` classes with the highest scores.
///
/// `scores` holds one row of `classes` scores per target, in any monotone unit (logits or probabilities). Of equal
/// scores the lower class ranks first, so that k = 1 agrees with an argmax that takes the first maximum. NaN never
/// helps: a target whose score is NaN is missed, and a NaN elsewhere ranks before the target.
///
/// # Panics
///
/// If `scores` is not `targets.len()` × `classes` long, or a target is not below `classes`.
pub fn top_k(scores: &[f32], classes: usize, targets: &[usize], k: usize) -> Proportion {
    assert_eq!(scores.len(), targets.len() * classes, "one row of {classes} scores per target");
    let hits = targets.iter().enumerate().filter(|&(sample, &target)| {
        let row = &scores[sample * classes..][..classes];
        let own = row[target];
        let before = |&(class, &score): &(usize, &f32)| {
            class != target && (score > own || score.is_nan() || (score == own && class < target))
        };
        !own.is_nan() && row.iter().enumerate().filter(before).count() < k
    });
    Proportion { successes: hits.count() as u64, trials: targets.len() as u64 }
}

/// The place of the largest value, the first of equals: the class that scores or probabilities speak for. 0 where there
/// are none.
pub fn argmax<T: PartialOrd>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, place| if values[place] > values[best] { place } else { best })
}
