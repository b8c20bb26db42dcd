//! Small dense linear algebra in float64: what covariances and Newton's method need.

mod cholesky;
mod eigen;
mod pairs;
mod pivoted;
mod scatter;
mod singular;

pub use cholesky::Cholesky;
pub(crate) use eigen::SymmetricEigen;
pub(crate) use pairs::{SIDE_BY_SIDE, squared_distances};
pub(crate) use pivoted::semidefinite_factor;
pub(crate) use scatter::scatter;
pub(crate) use singular::singular_values;

/// Σ aᵢbᵢ.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    sum(a, b, |a, b| a * b)
}

/// Σ (aᵢ − bᵢ)².
pub(crate) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    sum(a, b, |a, b| (a - b) * (a - b))
}

/// In eight sums that do not wait for each other.
#[inline]
fn sum(a: &[f64], b: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let len = a.len().min(b.len());
    let ((a, a_rest), (b, b_rest)) = (a[..len].as_chunks::<8>(), b[..len].as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += term(*a, *b);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| term(*a, *b)).sum();
    let [a, b, c, d, e, f, g, h] = sums;
    rest + ((a + b) + (c + d)) + ((e + f) + (g + h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_of_every_place() {
        for len in [0usize, 1, 7, 8, 9, 24, 27] {
            let a: Vec<f64> = (0..len).map(|i| i as f64 + 1.0).collect();
            let b: Vec<f64> = a.iter().map(|x| 2.0 * x).collect();
            let squares = (len * (len + 1) * (2 * len + 1) / 6) as f64;
            assert_eq!((dot(&a, &b), squared_distance(&a, &b)), (2.0 * squares, squares));
        }
    }
}
