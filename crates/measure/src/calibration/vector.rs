use serde::{Deserialize, Serialize};

use super::Unfit;
use crate::linear::{Cholesky, dot};
use crate::rows::Rows;
use crate::softmax::{log_sum_exp, probabilities};

/// Vector scaling: the probabilities become softmax(w∘z + b) of the logits z, with a weight and a bias for each class.
///
/// Source: C. Guo et al., "On calibration of modern neural networks", ICML 2017.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorScaling {
    /// w, one for each class.
    pub weights: Vec<f64>,
    /// b, one for each class; they add up to 0.
    pub biases: Vec<f64>,
}

impl VectorScaling {
    /// Finds the w and b that make the mean negative log-likelihood of `labels` given `logits` `[examples, classes]`, plus
    /// `ridge`/2 · (|w − 1|² + |b|²), the least, by Newton's method.
    ///
    /// The ridge, such as 1e-4, draws towards no change: without it a class without examples would have a bias of −∞. A
    /// step takes on the order of examples·classes² + classes³ operations: this is for some hundred classes.
    ///
    /// # Errors
    ///
    /// Without examples, or where a logit is not finite.
    ///
    /// # Panics
    ///
    /// If there is not one label below the number of classes per row, or `ridge` is not above 0.
    pub fn fit(logits: Rows<'_>, labels: &[usize], ridge: f64) -> Result<Self, Unfit> {
        assert!(ridge > 0.0, "a ridge of {ridge}");
        logits.check_labels(labels);
        if labels.is_empty() {
            return Err(Unfit::Empty);
        }
        let classes = logits.width();
        let objective = Objective { logits, labels, ridge };
        let mut at = [vec![1.0; classes], vec![0.0; classes]].concat();
        let mut value = objective.value(&at);
        for _ in 0..200 {
            let (gradient, hessian) = objective.derivatives(&at);
            let step = Cholesky::new(hessian, 2 * classes).ok_or(Unfit::NoMinimum)?.solve(&gradient);
            let gain = dot(&step, &gradient);
            let Some((next, lower)) = objective.descend(&at, value, &step, gain) else { break };
            (at, value) = (next, lower);
            if gain < 1e-26 {
                break;
            }
        }
        let biases = at.split_off(classes);
        value.is_finite().then_some(Self { weights: at, biases }).ok_or(Unfit::NoMinimum)
    }

    /// The probabilities of logits `[examples, classes]`, in the same shape.
    ///
    /// # Panics
    ///
    /// If there are other classes than those fitted.
    pub fn apply(&self, logits: Rows<'_>) -> Vec<f64> {
        assert_eq!(logits.width(), self.weights.len(), "the classes that were fitted");
        let scaled = |row: &[f64]| {
            let terms = row.iter().zip(&self.weights).zip(&self.biases);
            probabilities(terms.map(|((z, w), b)| w * z + b))
        };
        logits.iter().flat_map(scaled).collect()
    }
}

/// What is to be made small, over the parameters w and then b.
struct Objective<'a> {
    logits: Rows<'a>,
    labels: &'a [usize],
    ridge: f64,
}

impl Objective<'_> {
    fn scaled<'p>(&self, row: &'p [f64], at: &'p [f64]) -> impl Iterator<Item = f64> + Clone + 'p {
        let (weights, biases) = at.split_at(row.len());
        row.iter().zip(weights).zip(biases).map(|((z, w), b)| w * z + b)
    }

    fn value(&self, at: &[f64]) -> f64 {
        let surprise = |(row, label): (&[f64], usize)| {
            let classes = row.len();
            log_sum_exp(self.scaled(row, at)) - at[label] * row[label] - at[classes + label]
        };
        let mean = self.logits.labelled(self.labels).map(surprise).sum::<f64>() / self.labels.len() as f64;
        let (weights, biases) = at.split_at(self.logits.width());
        let moved = weights.iter().map(|w| (w - 1.0).powi(2)).sum::<f64>() + dot(biases, biases);
        mean + 0.5 * self.ridge * moved
    }

    /// Gradient `[2·classes]` and Hessian `[2·classes, 2·classes]`, its lower triangle.
    fn derivatives(&self, at: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let classes = self.logits.width();
        let size = 2 * classes;
        let (mut gradient, mut hessian) = (vec![0.0; size], vec![0.0; size * size]);
        for (row, label) in self.logits.labelled(self.labels) {
            let p = probabilities(self.scaled(row, at));
            // A parameter moves one scaled logit: w by the logit, b by 1.
            let lever = |i: usize| if i < classes { row[i] } else { 1.0 };
            for i in 0..size {
                let class = i % classes;
                let miss = p[class] - f64::from(u8::from(class == label));
                gradient[i] += miss * lever(i);
                for j in 0..=i {
                    let same = f64::from(u8::from(j % classes == class));
                    hessian[i * size + j] += p[class] * (same - p[j % classes]) * lever(i) * lever(j);
                }
            }
        }
        let count = self.labels.len() as f64;
        hessian.iter_mut().for_each(|entry| *entry /= count);
        for i in 0..size {
            let start = if i < classes { 1.0 } else { 0.0 };
            gradient[i] = gradient[i] / count + self.ridge * (at[i] - start);
            hessian[i * size + i] += self.ridge;
        }
        (gradient, hessian)
    }

    /// A point along −`step` that is lower enough (Armijo's rule), and its value; `None` where rounding hides any.
    fn descend(&self, at: &[f64], value: f64, step: &[f64], gain: f64) -> Option<(Vec<f64>, f64)> {
        let along = |share: f64| at.iter().zip(step).map(|(x, d)| x - share * d).collect::<Vec<f64>>();
        let tries = (0..40).map(|halvings| 0.5f64.powi(halvings));
        // Of the last steps, whose gain is lost in rounding, the full one is still the best.
        let slack = 1e-14 * value.abs();
        tries.map(|share| (share, along(share))).find_map(|(share, next)| {
            let lower = self.value(&next);
            (lower <= value - 1e-4 * share * gain + slack).then_some((next, lower))
        })
    }
}
