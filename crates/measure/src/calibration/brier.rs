use serde::{Deserialize, Serialize};

use super::{Binning, Forecasts};
use crate::interval::two_sided_z;
use crate::regression::{MeanError, mean_error};
use crate::rows::Rows;

/// The Brier score of probabilities `[examples, classes]`: the mean over examples of Σₖ(pₖ − yₖ)², where y is 1 for the
/// label and 0 elsewhere; in [0, 2], 0 is perfect. `None` without examples.
///
/// This is Brier's own definition (1950) over all classes; of two classes it is twice the mean of (p − y)² over one
/// ([`Forecasts::brier_score`]).
///
/// # Panics
///
/// If there is not one label below the number of classes per row, or `confidence` is not strictly between 0 and 1.
pub fn brier_score(probabilities: Rows<'_>, labels: &[usize], confidence: f64) -> Option<MeanError> {
    let z = two_sided_z(confidence);
    let score = |(row, label): (&[f64], usize)| {
        let distance = |(class, p): (usize, &f64)| (p - f64::from(u8::from(class == label))).powi(2);
        row.iter().enumerate().map(distance).sum::<f64>()
    };
    (!labels.is_empty()).then(|| mean_error(probabilities.labelled(labels).map(score), z))
}

/// What a Brier score is made of: reliability − resolution + uncertainty + within.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrierParts {
    /// The mean square by which bins' probabilities miss the share that happened; 0 is best.
    pub reliability: f64,
    /// The mean square by which the shares of bins differ from the share of all; large is good.
    pub resolution: f64,
    /// p(1 − p) of the share p of all events that happened: the score of always forecasting p.
    pub uncertainty: f64,
    /// What is left because probabilities differ within a bin; 0 where they do not.
    pub within: f64,
}

impl Forecasts {
    /// The mean of (p − y)², where y is 1 where the event happened and 0 where not; in [0, 1], 0 is perfect. `None`
    /// without forecasts.
    ///
    /// # Panics
    ///
    /// If `confidence` is not strictly between 0 and 1.
    pub fn brier_score(&self, confidence: f64) -> Option<MeanError> {
        let z = two_sided_z(confidence);
        let pairs = self.probabilities().iter().zip(self.outcomes());
        let squares = pairs.map(|(p, happened)| (p - f64::from(u8::from(*happened))).powi(2));
        (!self.is_empty()).then(|| mean_error(squares, z))
    }

    /// The parts of [`brier_score`](Self::brier_score) over bins (Murphy 1973, and Stephenson et al. 2008 for what is
    /// within bins). `None` without forecasts.
    ///
    /// # Panics
    ///
    /// If the number of bins is 0.
    pub fn brier_parts(&self, binning: Binning) -> Option<BrierParts> {
        let score = self.brier_score(0.95)?.value;
        let count = self.len() as f64;
        let all = self.outcomes().iter().filter(|happened| **happened).count() as f64 / count;
        let (mut reliability, mut resolution) = (0.0, 0.0);
        for bin in self.bins(binning) {
            let weight = bin.happened.trials as f64 / count;
            if let (Some(gap), Some(share)) = (bin.gap(), bin.happened.estimate()) {
                reliability += weight * gap.powi(2);
                resolution += weight * (share - all).powi(2);
            }
        }
        let uncertainty = all * (1.0 - all);
        let within = score - (reliability - resolution + uncertainty);
        Some(BrierParts { reliability, resolution, uncertainty, within })
    }
}
