//! Linear equations in `f64`.

/// The factor of Cholesky of a symmetric positive definite matrix.
pub(crate) struct Cholesky {
    lower: Vec<f64>,
    size: usize,
}

impl Cholesky {
    /// Factors `matrix` `[size, size]`; `None` where it is not positive definite.
    pub(crate) fn new(mut matrix: Vec<f64>, size: usize) -> Option<Self> {
        for i in 0..size {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| matrix[i * size + k] * matrix[j * size + k]).sum();
                let rest = matrix[i * size + j] - dot;
                if i == j && (rest.is_nan() || rest <= 0.0) {
                    return None;
                }
                matrix[i * size + j] = if i == j { rest.sqrt() } else { rest / matrix[j * size + j] };
            }
        }
        Some(Self { lower: matrix, size })
    }

    /// The solution for one right side.
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (lower, size) = (&self.lower, self.size);
        let mut x = right.to_vec();
        for i in 0..size {
            let dot: f64 = (0..i).map(|k| lower[i * size + k] * x[k]).sum();
            x[i] = (x[i] - dot) / lower[i * size + i];
        }
        for i in (0..size).rev() {
            let dot: f64 = (i + 1..size).map(|k| lower[k * size + i] * x[k]).sum();
            x[i] = (x[i] - dot) / lower[i * size + i];
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_what_can_be_solved() {
        let factor = Cholesky::new(vec![4.0, 2.0, 2.0, 3.0], 2).unwrap();
        let x = factor.solve(&[8.0, 8.0]);
        assert!((x[0] - 1.0).abs() < 1e-15 && (x[1] - 2.0).abs() < 1e-15);
        assert!(Cholesky::new(vec![1.0, 2.0, 2.0, 4.0], 2).is_none());
    }
}
