//! Gauss-Legendre quadrature.

/// The `count` nodes and weights of Gauss and Legendre on `[0, 1]`, in rising order: exact for polynomials up to degree
/// `2 count − 1`. By Newton's method on the Legendre polynomial, to the precision of `f64`.
#[must_use]
pub fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    (0..count).rev().map(|i| node(i, count)).collect()
}

/// The node of this number on `[−1, 1]`, from the right, moved to `[0, 1]`.
fn node(number: usize, count: usize) -> (f64, f64) {
    let n = count as f64;
    let mut x = (std::f64::consts::PI * (number as f64 + 0.75) / (n + 0.5)).cos();
    let mut slope = 0.0;
    for _ in 0..100 {
        let (value, found) = legendre(count, x);
        slope = found;
        let step = value / slope;
        x -= step;
        if step.abs() < 1e-16 {
            break;
        }
    }
    let weight = 2.0 / ((1.0 - x * x) * slope * slope);
    (0.5 * (1.0 + x), 0.5 * weight)
}

/// The Legendre polynomial of this degree at `x`, and its derivative.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=degree {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, degree as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_up_to_the_degree_are_exact() {
        for count in [1, 2, 3, 7, 20, 50, 200] {
            let nodes = gauss_legendre(count);
            assert!(nodes.windows(2).all(|pair| pair[0].0 < pair[1].0));
            for degree in [0, 1, 2, 5, 13, 2 * count - 1] {
                if degree < 2 * count {
                    let sum: f64 = nodes.iter().map(|(x, w)| w * x.powi(degree as i32)).sum();
                    assert!((sum - 1.0 / (degree as f64 + 1.0)).abs() < 1e-14, "{count} {degree} {sum}");
                }
            }
        }
    }
}
