use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::bootstrap::Bootstrap;
use crate::estimate::Estimate;
use crate::roc::{NoRoc, Roc};

/// How well a score tells examples to be found, the positives, from others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Number of positives.
    pub positives: u64,
    /// Number of negatives.
    pub negatives: u64,
    /// The area under the receiver operating characteristic, with DeLong's interval; 0.5 is useless.
    pub auroc: Estimate,
    /// The average precision at finding positives; useless at their share. Its interval is by resampling.
    pub aupr: Estimate,
    /// The average precision at finding negatives by low scores; useless at their share. Its interval is by resampling.
    pub aupr_of_negatives: Estimate,
    /// The share of negatives that are called positive where 95% of positives are found; useless at 0.95. Its interval is
    /// by resampling, and so counts the choice of the threshold in.
    pub false_positives_at_95: Estimate,
}

impl Detection {
    /// Measures a score that is higher for positives. For out-of-distribution detection these are the unusual examples,
    /// as OpenOOD takes it; to have "FPR at 95% TPR" where 95% of the usual are kept, as others do, exchange the groups and
    /// negate the scores.
    ///
    /// # Errors
    ///
    /// As [`Roc::new`] has them.
    ///
    /// # Panics
    ///
    /// If the bootstrap's confidence is not strictly between 0 and 1.
    pub fn measure(
        positives: &[f64],
        negatives: &[f64],
        bootstrap: Bootstrap,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, NoRoc> {
        let roc = Roc::new(positives, negatives)?;
        let count = positives.len() + negatives.len();
        let on = |drawn: &[usize]| Some(measures(&resampled(positives, negatives, drawn)?));
        let resamples = bootstrap.statistics(count, rng, on);
        let values = measures(&roc);
        let estimate = |at: usize| {
            let interval = bootstrap.between(resamples.iter().map(|all| all[at]).collect());
            Estimate { value: values[at], interval }
        };
        let auroc = Estimate { value: roc.auc(), interval: roc.auc_interval(bootstrap.confidence) };
        Ok(Self {
            positives: positives.len() as u64,
            negatives: negatives.len() as u64,
            auroc,
            aupr: estimate(0),
            aupr_of_negatives: estimate(1),
            false_positives_at_95: estimate(2),
        })
    }
}

/// What has no formula for its interval.
fn measures(roc: &Roc) -> [f64; 3] {
    let point = roc.at_true_positive_rate(0.95).false_positives;
    let share = point.successes as f64 / point.trials as f64;
    [roc.average_precision(), roc.average_precision_of_negatives(), share]
}

/// The characteristic of drawn examples, of which those below the number of positives are positives; `None` where a group
/// was not drawn.
fn resampled(positives: &[f64], negatives: &[f64], drawn: &[usize]) -> Option<Roc> {
    let own: Vec<f64> = drawn.iter().filter_map(|i| positives.get(*i)).copied().collect();
    let others =
        drawn.iter().filter_map(|i| i.checked_sub(positives.len())).map(|i| negatives[i]).collect::<Vec<_>>();
    Roc::new(&own, &others).ok()
}
