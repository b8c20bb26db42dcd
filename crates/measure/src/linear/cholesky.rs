/// The lower factor L of a symmetric positive definite matrix A = LLᵀ.
#[derive(Clone, Debug, PartialEq)]
pub struct Cholesky {
    lower: Vec<f64>,
    size: usize,
}

impl Cholesky {
    /// Factors `matrix` `[size, size]`, of which the lower triangle is read; `None` where it is not positive definite.
    ///
    /// # Panics
    ///
    /// If there are not `size · size` values.
    #[must_use]
    pub fn new(mut matrix: Vec<f64>, size: usize) -> Option<Self> {
        assert_eq!(matrix.len(), size * size, "a square matrix");
        for i in 0..size {
            for j in 0..=i {
                let (above, here) = matrix.split_at(i * size);
                let dot = super::dot(if i == j { &here[..j] } else { &above[j * size..][..j] }, &here[..j]);
                let rest = matrix[i * size + j] - dot;
                if i == j && (rest.is_nan() || rest <= 0.0) {
                    return None;
                }
                matrix[i * size + j] = if i == j { rest.sqrt() } else { rest / matrix[j * size + j] };
            }
        }
        Some(Self { lower: matrix, size })
    }

    /// L⁻¹ times the right side, whose squared length is that of A⁻¹: rᵀA⁻¹r.
    #[must_use]
    pub fn whiten(&self, right: &[f64]) -> Vec<f64> {
        let mut x = right.to_vec();
        for i in 0..self.size {
            let row = &self.lower[i * self.size..][..=i];
            x[i] = (x[i] - super::dot(&row[..i], &x[..i])) / row[i];
        }
        x
    }

    /// A⁻¹ times the right side.
    #[must_use]
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (lower, size) = (&self.lower, self.size);
        let mut x = self.whiten(right);
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
        let white = factor.whiten(&[8.0, 8.0]);
        assert!((super::super::dot(&white, &white) - 24.0).abs() < 1e-12);
        assert!(Cholesky::new(vec![1.0, 2.0, 2.0, 4.0], 2).is_none());
    }
}
