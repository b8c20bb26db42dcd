use super::dot;
use crate::rows::Rows;

/// Rows that are taken at once, so that a column of them stays near.
const BLOCK: usize = 64;

/// Σ (x − origin)(x − origin)ᵀ over the rows x, `[width, width]`.
pub(crate) fn scatter(rows: Rows<'_>, origin: &[f64]) -> Vec<f64> {
    let width = origin.len();
    assert_eq!(rows.width(), width, "an origin of the rows' width");
    let mut sums = vec![0.0; width * width];
    let mut columns = vec![[0.0; BLOCK]; width];
    for first in (0..rows.len()).step_by(BLOCK) {
        for at in 0..BLOCK {
            // Past the last row, nothing is added.
            let row = if first + at < rows.len() { rows.row(first + at) } else { origin };
            columns.iter_mut().zip(row.iter().zip(origin)).for_each(|(column, (x, o))| column[at] = x - o);
        }
        for (i, left) in columns.iter().enumerate() {
            let sums = sums[i * width..].iter_mut().zip(&columns[..=i]);
            sums.for_each(|(sum, right)| *sum += dot(left, right));
        }
    }
    for i in 0..width {
        (0..i).for_each(|j| sums[j * width + i] = sums[i * width + j]);
    }
    sums
}
