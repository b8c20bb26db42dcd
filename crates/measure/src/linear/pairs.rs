use super::squared_distance;
use crate::rows::Rows;

/// Rows to give [`squared_distances`] at once.
pub(crate) const SIDE_BY_SIDE: usize = 16;

/// The squared distances of a `few` rows from all `others`: `[few, others]`.
pub(crate) fn squared_distances(few: Rows<'_>, others: Rows<'_>) -> Vec<f64> {
    let mut distances = vec![0.0; few.len() * others.len()];
    for (first, block) in others.blocks() {
        for (row, distances) in few.iter().zip(distances.chunks_exact_mut(others.len())) {
            for (distance, other) in distances[first..].iter_mut().zip(block.iter()) {
                *distance = squared_distance(row, other);
            }
        }
    }
    distances
}
