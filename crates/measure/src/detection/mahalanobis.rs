use crate::linear::{Cholesky, dot};
use crate::rows::Rows;

/// The distance of features from the nearest class, in units of how features spread about their class's mean.
///
/// Source: K. Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
/// NeurIPS 2018, of one layer and without its changes to the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Mahalanobis {
    means: Vec<Vec<f64>>,
    covariance: Cholesky,
}

impl Mahalanobis {
    /// Takes the mean of each class, and the covariance about them that all classes share, of training `features`
    /// `[examples, features]` with their `labels`. A class without examples is left out.
    ///
    /// `ridge`, such as 1e-6, times the mean variance is added to every variance: features that never change, or fewer
    /// examples than features, would otherwise have a distance without bound.
    ///
    /// `None` without examples, where no feature changes, or where the covariance is not positive definite even so.
    ///
    /// # Panics
    ///
    /// If there is not one label per row, or `ridge` is negative.
    pub fn fit(features: Rows<'_>, labels: &[usize], ridge: f64) -> Option<Self> {
        assert!(ridge >= 0.0, "a ridge of {ridge}");
        assert_eq!(labels.len(), features.len(), "one label per row");
        let width = features.width();
        let classes = labels.iter().max()? + 1;
        let means: Vec<Option<Vec<f64>>> = (0..classes).map(|class| mean(features, labels, class)).collect();
        let mut covariance = vec![0.0; width * width];
        for (row, label) in features.iter().zip(labels) {
            let mean = means[*label].as_ref()?;
            let off: Vec<f64> = row.iter().zip(mean).map(|(x, m)| x - m).collect();
            for (i, left) in off.iter().enumerate() {
                let entries = covariance[i * width..].iter_mut().zip(&off[..=i]);
                entries.for_each(|(entry, right)| *entry += left * right);
            }
        }
        covariance.iter_mut().for_each(|entry| *entry /= labels.len() as f64);
        let variance = (0..width).map(|i| covariance[i * width + i]).sum::<f64>() / width as f64;
        (0..width).for_each(|i| covariance[i * width + i] += ridge * variance);
        Some(Self {
            means: means.into_iter().flatten().collect(),
            covariance: Cholesky::new(covariance, width)?,
        })
    }

    /// The least squared distance of each row of `features` `[examples, features]` from a class's mean.
    ///
    /// # Panics
    ///
    /// If there are not as many features as were fitted.
    pub fn scores(&self, features: Rows<'_>) -> Vec<f64> {
        assert_eq!(features.width(), self.means[0].len(), "the features that were fitted");
        let distance = |row: &[f64], mean: &[f64]| {
            let off: Vec<f64> = row.iter().zip(mean).map(|(x, m)| x - m).collect();
            let white = self.covariance.whiten(&off);
            dot(&white, &white)
        };
        let nearest = |row| self.means.iter().map(|mean| distance(row, mean)).fold(f64::INFINITY, f64::min);
        features.iter().map(nearest).collect()
    }
}

/// The mean of the rows of a class; `None` without any.
fn mean(features: Rows<'_>, labels: &[usize], class: usize) -> Option<Vec<f64>> {
    let mut sum = vec![0.0; features.width()];
    let mut count = 0.0;
    for (row, _) in features.iter().zip(labels).filter(|(_, label)| **label == class) {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        count += 1.0;
    }
    (count > 0.0).then(|| sum.into_iter().map(|sum| sum / count).collect())
}
