use serde::{Deserialize, Serialize};

use crate::rows::Rows;

/// Confident learning: how often the class that is given as j is confidently another one.
///
/// Source: C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70 (2021).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfidentLearning {
    /// Of each class the mean probability that examples labelled so have of it; `None` of a class without any. An example
    /// of at least this probability is confidently of the class.
    pub thresholds: Vec<Option<f64>>,
    /// The confident joint: counts `[given][confident]` of examples by their label and by the most probable of the classes
    /// that they are confidently of. Examples that are confidently of none are not counted.
    pub joint: Vec<Vec<u64>>,
    /// The examples beside the diagonal, the least plausible label first.
    pub suspects: Vec<Suspect>,
}

/// An example whose label is probably wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// Its place among the examples.
    pub example: usize,
    /// Its label.
    pub given: usize,
    /// The class that it confidently is of.
    pub suggested: usize,
    /// The probability of its label less that of the most probable other class, in [−1, 1]; the lowest is the most
    /// suspicious.
    pub margin: f64,
}

impl ConfidentLearning {
    /// Looks at out-of-sample probabilities `[examples, classes]` and the labels given.
    ///
    /// # Panics
    ///
    /// If there is not one label below the number of classes per row.
    pub fn new(probabilities: Rows<'_>, labels: &[usize]) -> Self {
        let classes = probabilities.width();
        let thresholds = thresholds(probabilities, labels);
        let mut joint = vec![vec![0; classes]; classes];
        let mut suspects = Vec::new();
        for (example, (row, given)) in probabilities.labelled(labels).enumerate() {
            let Some(suggested) = confident(row, &thresholds) else { continue };
            joint[given][suggested] += 1;
            if suggested != given {
                suspects.push(Suspect { example, given, suggested, margin: margin(row, given) });
            }
        }
        suspects.sort_by(|a, b| a.margin.total_cmp(&b.margin));
        Self { thresholds, joint, suspects }
    }

    /// The joint distribution `[given][true]` of labels and true classes, which adds up to 1: rows of the confident joint,
    /// scaled to how often each label is given. A row without a confident example lies on the diagonal. `None` without
    /// examples.
    ///
    /// # Panics
    ///
    /// If a label is none of the classes.
    pub fn distribution(&self, labels: &[usize]) -> Option<Vec<Vec<f64>>> {
        let mut given = vec![0u64; self.joint.len()];
        labels.iter().for_each(|label| given[*label] += 1);
        let all = labels.len() as f64;
        let row = |(class, counts): (usize, &Vec<u64>)| {
            let share = given[class] as f64 / all;
            let sum: u64 = counts.iter().sum();
            let of = |(other, count): (usize, &u64)| match sum {
                0 => f64::from(u8::from(other == class)) * share,
                _ => *count as f64 / sum as f64 * share,
            };
            counts.iter().enumerate().map(of).collect()
        };
        (!labels.is_empty()).then(|| self.joint.iter().enumerate().map(row).collect())
    }

    /// The estimated share of labels that are wrong: what of [`distribution`](Self::distribution) lies beside the diagonal.
    ///
    /// # Panics
    ///
    /// As [`distribution`](Self::distribution) does.
    pub fn noise(&self, labels: &[usize]) -> Option<f64> {
        let distribution = self.distribution(labels)?;
        let cells = distribution.iter().enumerate().flat_map(|(given, row)| {
            row.iter().enumerate().filter(move |(class, _)| *class != given).map(|(_, share)| share)
        });
        Some(cells.sum())
    }
}

fn thresholds(probabilities: Rows<'_>, labels: &[usize]) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0u64); probabilities.width()];
    for (row, label) in probabilities.labelled(labels) {
        sums[label].0 += row[label];
        sums[label].1 += 1;
    }
    sums.into_iter().map(|(sum, count)| (count > 0).then(|| sum / count as f64)).collect()
}

/// The most probable of the classes that reach their threshold.
fn confident(row: &[f64], thresholds: &[Option<f64>]) -> Option<usize> {
    // A mean of equal probabilities may round above them.
    let reaches = |class: &usize| thresholds[*class].is_some_and(|least| row[*class] >= least - 1e-6);
    let classes = (0..row.len()).filter(reaches);
    classes.reduce(|best, class| if row[class] > row[best] { class } else { best })
}

fn margin(row: &[f64], given: usize) -> f64 {
    let others = row.iter().enumerate().filter(|(class, _)| *class != given);
    row[given] - others.map(|(_, p)| *p).fold(0.0, f64::max)
}
