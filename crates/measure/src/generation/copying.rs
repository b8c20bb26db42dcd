use serde::{Deserialize, Serialize};

use super::nearest;
use crate::estimate::Estimate;
use crate::median::median;
use crate::roc::Roc;
use crate::rows::Rows;

/// Whether generated examples lie nearer to the training examples than unseen real ones do: then they are copies.
///
/// Source: C. Meehan, K. Chaudhuri, S. Dasgupta, "A non-parametric test to detect data-copying in generative models",
/// AISTATS 2020, of the whole space at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copying {
    /// The probability that a generated example is nearer to its nearest training example than a held-out one is, ties half:
    /// 0.5 where nothing is copied, 1 where everything is, and below 0.5 where generated examples are far from all real ones.
    pub nearer: Estimate,
    /// The median distance of generated examples from their nearest training example over that of held-out ones: far below 1
    /// where examples are copied. `None` where held-out examples lie on training examples themselves.
    pub ratio: Option<f64>,
}

impl Copying {
    /// Measures `generated` examples and `held_out` real ones, by their distances from `training` examples,
    /// `[examples, features]` each, with an interval of this `confidence`.
    ///
    /// `None` where a set is empty, or a value is not finite.
    ///
    /// # Panics
    ///
    /// If the sets differ in the number of features, or `confidence` is not strictly between 0 and 1.
    pub fn measure(
        generated: Rows<'_>,
        training: Rows<'_>,
        held_out: Rows<'_>,
        confidence: f64,
    ) -> Option<Self> {
        let distances = |rows| -> Option<Vec<f64>> {
            Some(nearest(rows, training)?.into_iter().map(|found| found.distance).collect())
        };
        let (generated, held_out) = (distances(generated)?, distances(held_out)?);
        let nearness = |distances: &[f64]| distances.iter().map(|distance| -distance).collect::<Vec<_>>();
        let roc = Roc::new(&nearness(&generated), &nearness(&held_out)).ok()?;
        let nearer = Estimate { value: roc.auc(), interval: roc.auc_interval(confidence) };
        let unseen = median(&held_out)?;
        let ratio = median(&generated)? / unseen;
        Some(Self { nearer, ratio: (unseen > 0.0).then_some(ratio) })
    }
}
