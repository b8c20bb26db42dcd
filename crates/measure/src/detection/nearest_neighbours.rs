use crate::linear::{dot, squared_distance};
use crate::rows::Rows;

/// The distance of features to the k-th nearest of the training data, all scaled to length 1.
///
/// Source: Y. Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML 2022.
#[derive(Clone, Debug, PartialEq)]
pub struct NearestNeighbours {
    features: Vec<f64>,
    width: usize,
    k: usize,
}

impl NearestNeighbours {
    /// Keeps the training `features` `[examples, features]`. `k` is usually some 50 for ten thousand examples; `None` where
    /// there are fewer.
    ///
    /// # Panics
    ///
    /// If `k` is 0.
    pub fn fit(features: Rows<'_>, k: usize) -> Option<Self> {
        assert!(k > 0, "the distance to no neighbour");
        let width = features.width();
        (features.len() >= k).then(|| Self { features: features.iter().flat_map(unit).collect(), width, k })
    }

    /// The distance, in [0, 2], of each row of `features` `[examples, features]` to its k-th neighbour. Every pair is looked
    /// at.
    ///
    /// # Panics
    ///
    /// If there are not as many features as were fitted.
    pub fn scores(&self, features: Rows<'_>) -> Vec<f64> {
        assert_eq!(features.width(), self.width, "the features that were fitted");
        features.iter().map(|row| self.score(&unit(row))).collect()
    }

    fn score(&self, row: &[f64]) -> f64 {
        let others = self.features.chunks_exact(self.width);
        let mut distances: Vec<f64> = others.map(|other| squared_distance(row, other)).collect();
        let (_, kth, _) = distances.select_nth_unstable_by(self.k - 1, f64::total_cmp);
        kth.sqrt()
    }
}

/// The row at length 1; zeros stay.
fn unit(row: &[f64]) -> Vec<f64> {
    let length = dot(row, row).sqrt();
    row.iter().map(|x| if length > 0.0 { x / length } else { 0.0 }).collect()
}
