use serde::{Deserialize, Serialize};

use crate::classification::argmax;
use crate::interval::Proportion;
use crate::rows::Rows;

/// What a classifier sees in generated examples: all classes, and each clearly?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassCoverage {
    /// Examples by the class that the classifier names, the first of equally probable ones.
    pub counts: Vec<u64>,
    /// Of all examples, those whose class has more than the probability asked for.
    pub confident: Proportion,
    /// Of all examples, those in which the classifier sees the class that was asked for; `None` where none was.
    pub as_asked: Option<Proportion>,
}

impl ClassCoverage {
    /// Counts what a classifier answers, `probabilities` `[examples, classes]`; an example is clear where the largest is above
    /// `confidence`, usually 0.9. `asked` are the classes that a conditional generator was to make.
    ///
    /// `None` where a probability does not lie in [0, 1], or is NaN.
    ///
    /// # Panics
    ///
    /// If there is not one class, below their number, for each example that was asked for.
    pub fn measure(probabilities: Rows<'_>, confidence: f64, asked: Option<&[usize]>) -> Option<Self> {
        if !probabilities.iter().flatten().all(|p| (0.0..=1.0).contains(p)) {
            return None;
        }
        if let Some(asked) = asked {
            probabilities.check_labels(asked);
        }
        let seen: Vec<usize> = probabilities.iter().map(argmax).collect();
        let mut counts = vec![0; probabilities.width()];
        seen.iter().for_each(|class| counts[*class] += 1);
        let of_all = |successes: usize| Proportion { successes: successes as u64, trials: seen.len() as u64 };
        let clear = probabilities.iter().zip(&seen).filter(|(row, class)| row[**class] > confidence);
        let as_asked = asked.map(|asked| of_all(asked.iter().zip(&seen).filter(|(a, b)| a == b).count()));
        Some(Self { confident: of_all(clear.count()), as_asked, counts })
    }

    /// The share of a class.
    ///
    /// # Panics
    ///
    /// If there is no such class.
    pub fn share(&self, class: usize) -> Proportion {
        Proportion { successes: self.counts[class], trials: self.counts.iter().sum() }
    }

    /// The classes that no example shows, rising.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.counts.len()).filter(|class| self.counts[*class] == 0).collect()
    }

    /// How evenly the classes come: the entropy of their shares over that of equal ones, from 0, one class alone, to 1. `None`
    /// without examples, or where there is but one class.
    pub fn balance(&self) -> Option<f64> {
        let all: u64 = self.counts.iter().sum();
        let shares = self.counts.iter().map(|count| *count as f64 / all as f64);
        let entropy: f64 = shares.filter(|share| *share > 0.0).map(|share| -share * share.ln()).sum();
        (all > 0 && self.counts.len() > 1).then(|| entropy / (self.counts.len() as f64).ln())
    }
}
