//! Small dense linear algebra in float64: what covariances and Newton's method need.

mod cholesky;
mod eigen;

pub use cholesky::Cholesky;
pub(crate) use eigen::SymmetricEigen;

/// Σ aᵢbᵢ.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
