/// Eigenvalues of a symmetric matrix, the largest first, each with its eigenvector of length 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SymmetricEigen {
    /// Falling.
    pub(crate) values: Vec<f64>,
    /// `vectors[i]` belongs to `values[i]`.
    pub(crate) vectors: Vec<Vec<f64>>,
}

impl SymmetricEigen {
    /// Decomposes `matrix` `[size, size]` by cyclic rotations (Jacobi 1846; Golub and Van Loan, "Matrix computations",
    /// section 8.5): slow, some 10·size³ operations for each of about ten sweeps, and as exact as float64 allows.
    /// `None` where an entry is not finite.
    pub(crate) fn new(mut matrix: Vec<f64>, size: usize) -> Option<Self> {
        assert_eq!(matrix.len(), size * size, "a square matrix");
        if matrix.iter().any(|entry| !entry.is_finite()) {
            return None;
        }
        // Row i is to become the i-th eigenvector.
        let mut basis: Vec<f64> = vec![0.0; size * size];
        (0..size).for_each(|i| basis[i * size + i] = 1.0);
        for _ in 0..60 {
            if is_diagonal(&matrix, size) {
                break;
            }
            for p in 0..size {
                for q in p + 1..size {
                    rotate(&mut matrix, &mut basis, size, p, q);
                }
            }
        }
        let mut pairs: Vec<(f64, Vec<f64>)> =
            (0..size).map(|i| (matrix[i * size + i], basis[i * size..][..size].to_vec())).collect();
        pairs.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let (values, vectors) = pairs.into_iter().unzip();
        Some(Self { values, vectors })
    }
}

/// Whether what lies beside the diagonal is no more than rounding.
fn is_diagonal(matrix: &[f64], size: usize) -> bool {
    let total: f64 = matrix.iter().map(|x| x * x).sum();
    let diagonal: f64 = (0..size).map(|i| matrix[i * size + i].powi(2)).sum();
    let beside: f64 = (0..size)
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .map(|(i, j)| 2.0 * matrix[i * size + j].powi(2))
        .sum();
    beside <= 1e-32 * total.max(diagonal)
}

/// Turns the plane of p and q so that the entry (p, q) becomes 0.
fn rotate(matrix: &mut [f64], basis: &mut [f64], size: usize, p: usize, q: usize) {
    let entry = matrix[p * size + q];
    if entry == 0.0 {
        return;
    }
    let half_cotangent = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * entry);
    // The smaller of the two angles, which keeps the sweeps converging.
    let tangent = half_cotangent.signum() / (half_cotangent.abs() + half_cotangent.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for k in 0..size {
        let (a, b) = (matrix[k * size + p], matrix[k * size + q]);
        matrix[k * size + p] = cosine * a - sine * b;
        matrix[k * size + q] = sine * a + cosine * b;
    }
    turn_rows(matrix, size, [p, q], [cosine, sine]);
    turn_rows(basis, size, [p, q], [cosine, sine]);
}

/// Row p becomes cos·p − sin·q and row q becomes sin·p + cos·q; p lies above q.
fn turn_rows(matrix: &mut [f64], size: usize, [p, q]: [usize; 2], [cosine, sine]: [f64; 2]) {
    let (above, below) = matrix.split_at_mut(q * size);
    for (a, b) in above[p * size..][..size].iter_mut().zip(&mut below[..size]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_difference_has_its_known_eigenvalues() {
        // 2 − 2 cos(kπ/(n + 1)).
        let size = 12;
        let entry = |i: usize, j: usize| match i.abs_diff(j) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        };
        let matrix: Vec<f64> = (0..size * size).map(|at| entry(at / size, at % size)).collect();
        let found = SymmetricEigen::new(matrix, size).unwrap();
        for (k, value) in found.values.iter().rev().enumerate() {
            let angle = std::f64::consts::PI * (k + 1) as f64 / (size + 1) as f64;
            assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-13, "{k}: {value}");
        }
        for (i, vector) in found.vectors.iter().enumerate() {
            let times: Vec<f64> =
                (0..size).map(|r| (0..size).map(|c| entry(r, c) * vector[c]).sum()).collect();
            for (left, right) in times.iter().zip(vector) {
                assert!((left - found.values[i] * right).abs() < 1e-12);
            }
            for (j, other) in found.vectors.iter().enumerate() {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((super::super::dot(vector, other) - expected).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn equal_and_zero_eigenvalues_are_found() {
        let found = SymmetricEigen::new(vec![1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 3).unwrap();
        assert!((found.values[0] - 3.0).abs() < 1e-15 && found.values[1..].iter().all(|v| v.abs() < 1e-15));
        assert!(SymmetricEigen::new(vec![f64::NAN], 1).is_none());
    }
}
