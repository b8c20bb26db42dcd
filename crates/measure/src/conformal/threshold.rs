use serde::{Deserialize, Serialize};

use super::{Sets, aps, lac, raps};
use crate::rows::Rows;

/// How strange a class is for an example, from the network's probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// One less the probability of the class: the smallest sets on average, and too small ones for hard examples.
    Lac,
    /// The probabilities of the class and of all more probable ones: larger sets, that grow with the difficulty.
    Aps,
    /// APS with a penalty on improbable classes, so that no set grows very large.
    Raps {
        /// Added for each place beyond the first `k_reg`; 0.01 to 0.5 are usual.
        lambda: f64,
        /// Places without a penalty; such as how many classes it takes to hold the true one mostly.
        k_reg: usize,
    },
}

impl Score {
    /// Of each class of one example. `draw` is of [0, 1] and matters to APS and RAPS only.
    fn of(self, row: &[f64], draw: f64) -> Vec<f64> {
        match self {
            Self::Lac => lac::scores(row),
            Self::Aps => aps::scores(row, draw),
            Self::Raps { lambda, k_reg } => raps::scores(row, draw, lambda, k_reg),
        }
    }
}

/// A calibrated threshold of a score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conformal {
    /// The score.
    pub score: Score,
    /// What a class's score may be at most; infinite where there are too few examples for α, below 1/α − 1.
    pub threshold: f64,
}

impl Conformal {
    /// The threshold for sets that miss the true class with a probability of at most `alpha`: the ⌈(n + 1)(1 − α)⌉-th
    /// smallest score of the `labels` of n examples, given their `probabilities` `[examples, classes]`.
    ///
    /// `draws` randomises APS and RAPS: one number for each example, drawn evenly from [0, 1], by which the score of a
    /// class leaves out a share of its own probability. The coverage then comes out as promised instead of above, at the
    /// price of sets that differ between draws and may be empty. Sets need draws where the calibration had them.
    ///
    /// Over calibrations, the coverage of new examples is distributed as Beta(n + 1 − l, l), where l = ⌊(n + 1)α⌋, for
    /// scores without ties.
    ///
    /// # Panics
    ///
    /// If `alpha` is not strictly between 0 and 1, or there is not one label below the number of classes, and one draw
    /// where there are draws, per row.
    pub fn calibrate(
        score: Score,
        probabilities: Rows<'_>,
        labels: &[usize],
        alpha: f64,
        draws: Option<&[f64]>,
    ) -> Self {
        assert!(alpha > 0.0 && alpha < 1.0, "α is {alpha}, not strictly between 0 and 1");
        check_draws(probabilities, draws);
        let of_label = |(index, (row, label)): (usize, (&[f64], usize))| {
            let found = score.of(row, draw(draws, index))[label];
            if found.is_nan() { f64::INFINITY } else { found }
        };
        let mut scores: Vec<f64> = probabilities.labelled(labels).enumerate().map(of_label).collect();
        scores.sort_by(f64::total_cmp);
        // (n + 1)(1 − α) may come out above a whole number by rounding.
        let rank = ((scores.len() + 1) as f64 * (1.0 - alpha) - 1e-9).ceil() as usize;
        Self { score, threshold: scores.get(rank.max(1) - 1).copied().unwrap_or(f64::INFINITY) }
    }

    /// The sets of examples with `probabilities` `[examples, classes]`. A score that is NaN is the strangest when it
    /// calibrates, and keeps no class out of a set, so that the promise holds.
    ///
    /// # Panics
    ///
    /// If there are draws, and not one per row.
    pub fn sets(&self, probabilities: Rows<'_>, draws: Option<&[f64]>) -> Sets {
        check_draws(probabilities, draws);
        let scores = probabilities.iter().enumerate().flat_map(|(i, row)| self.score.of(row, draw(draws, i)));
        Sets::new(
            scores.map(|score| score.is_nan() || score <= self.threshold).collect(),
            probabilities.width(),
        )
    }
}

fn check_draws(probabilities: Rows<'_>, draws: Option<&[f64]>) {
    assert!(draws.is_none_or(|draws| draws.len() == probabilities.len()), "one draw per row");
}

fn draw(draws: Option<&[f64]>, index: usize) -> f64 {
    draws.map_or(0.0, |draws| draws[index])
}

/// Classes by falling probability, of equals the first before.
pub(super) fn ranked(row: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
    order
}
