/// U with UᵀU = `matrix`, `[rank, size]`, of a symmetric matrix `[size, size]` without negative eigenvalues: Cholesky's
/// factor, where the largest variance that is left comes next, until none is left but rounding. `None` where an entry is not finite.
///
/// Source: N. Higham, "Analysis of the Cholesky decomposition of a semi-definite matrix" (1990); LAPACK's `dpstrf` stops
/// at the same.
pub(crate) fn semidefinite_factor(matrix: &[f64], size: usize) -> Option<Vec<f64>> {
    assert_eq!(matrix.len(), size * size, "a square matrix");
    if matrix.iter().any(|entry| !entry.is_finite()) {
        return None;
    }
    let mut left: Vec<f64> = (0..size).map(|i| matrix[i * size + i]).collect();
    let least = size as f64 * f64::EPSILON * left.iter().copied().fold(0.0, f64::max);
    let mut factor: Vec<f64> = Vec::new();
    for _ in 0..size {
        let (pivot, most) = left.iter().copied().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        if most <= least {
            break;
        }
        let mut row = matrix[pivot * size..][..size].to_vec();
        for above in factor.chunks_exact(size) {
            row.iter_mut().zip(above).for_each(|(entry, u)| *entry -= above[pivot] * u);
        }
        let root = most.sqrt();
        row.iter_mut().for_each(|entry| *entry /= root);
        left.iter_mut().zip(&row).for_each(|(left, u)| *left -= u * u);
        left[pivot] = f64::NEG_INFINITY;
        factor.extend(row);
    }
    Some(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_has_as_many_rows_as_the_rank() {
        // Rows (1, 2, 0, 3) and (0, 1, 0, −1), as a matrix of rank 2.
        let rows = [[1.0, 2.0, 0.0, 3.0], [0.0, 1.0, 0.0, -1.0]];
        let entry = |i: usize, j: usize| rows.iter().map(|row| row[i] * row[j]).sum::<f64>();
        let matrix: Vec<f64> = (0..16).map(|at| entry(at / 4, at % 4)).collect();
        let factor = semidefinite_factor(&matrix, 4).unwrap();
        assert_eq!(factor.len(), 2 * 4);
        for at in 0..16 {
            let product: f64 = factor.chunks_exact(4).map(|u| u[at / 4] * u[at % 4]).sum();
            assert!((product - matrix[at]).abs() < 1e-14, "{at}: {product}");
        }
        assert_eq!(semidefinite_factor(&[0.0; 9], 3), Some(Vec::new()));
        assert_eq!(semidefinite_factor(&[f64::INFINITY], 1), None);
    }
}
