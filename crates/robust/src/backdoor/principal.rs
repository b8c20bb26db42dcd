//! The directions along which vectors differ most, and whitening that a minority cannot bend.

use rand_chacha::ChaCha8Rng;

use crate::threat::normal;

/// Rounds of power iteration at most, and the change of a direction below which it has arrived.
const ROUNDS: usize = 200;
const ARRIVED: f64 = 1e-9;

/// Rounds of trimming at most.
const TRIMS: usize = 20;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Scales to length 1; false for a vector without a length.
fn normalize(vector: &mut [f64]) -> bool {
    let length = dot(vector, vector).sqrt();
    vector.iter_mut().for_each(|value| *value /= length);
    length.is_finite() && length > 1e-12
}

/// The mean of rows, and their covariance `[width, width]`.
fn moments<'a>(rows: impl ExactSizeIterator<Item = &'a [f64]> + Clone, width: usize) -> (Vec<f64>, Vec<f64>) {
    let n = rows.len().max(1) as f64;
    let mut mean = vec![0.0; width];
    for row in rows.clone() {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / n);
    }
    let mut covariance = vec![0.0; width * width];
    let mut centred = vec![0.0; width];
    for row in rows {
        centred.iter_mut().zip(row).zip(&mean).for_each(|((centred, value), mean)| *centred = value - mean);
        for (line, value) in covariance.chunks_exact_mut(width).zip(&centred) {
            // Units that are off, which are many after a rectifier that has learned, add nothing.
            if *value != 0.0 {
                line.iter_mut().zip(&centred).for_each(|(sum, other)| *sum += value * other / n);
            }
        }
    }
    (mean, covariance)
}

/// The coordinates of rows `[n, width]` along their first `count` principal directions, as `[n, found]`, and how many were
/// found: fewer where the rows lie in fewer. Each direction by power iteration, at right angles to those before.
pub(super) fn reduce(rows: &[f64], width: usize, count: usize, rng: &mut ChaCha8Rng) -> (Vec<f64>, usize) {
    let (mean, covariance) = moments(rows.chunks_exact(width), width);
    let mut directions: Vec<Vec<f64>> = Vec::new();
    'directions: while directions.len() < count.min(width) {
        let mut direction: Vec<f64> = (0..width).map(|_| f64::from(normal(rng))).collect();
        normalize(&mut direction);
        for _ in 0..ROUNDS {
            let mut next: Vec<f64> =
                covariance.chunks_exact(width).map(|line| dot(line, &direction)).collect();
            for before in &directions {
                let shared = dot(&next, before);
                next.iter_mut().zip(before).for_each(|(next, value)| *next -= shared * value);
            }
            if !normalize(&mut next) {
                break 'directions;
            }
            let arrived = 1.0 - dot(&next, &direction).abs() < ARRIVED;
            direction = next;
            if arrived {
                break;
            }
        }
        directions.push(direction);
    }
    let along = |row: &[f64], direction: &[f64]| dot(row, direction) - dot(&mean, direction);
    let coordinates = rows
        .chunks_exact(width)
        .flat_map(|row| directions.iter().map(move |direction| along(row, direction)));
    (coordinates.collect(), directions.len())
}

/// Rows `[n, width]` in units in which the `share` of them nearest to the middle has a covariance of 1: the minimum
/// covariance determinant by its concentration steps, begun at all rows.
///
/// P. Rousseeuw, K. Van Driessen: A fast algorithm for the minimum covariance determinant estimator, 1999.
pub(super) fn whiten(rows: &[f64], width: usize, share: f64) -> Vec<f64> {
    let n = rows.len() / width.max(1);
    let row = |index: usize| &rows[index * width..][..width];
    let mut kept: Vec<usize> = (0..n).collect();
    let mut white = rows.to_vec();
    for _ in 0..TRIMS {
        let (mean, covariance) = moments(kept.iter().map(|&index| row(index)), width);
        let factor = cholesky(covariance, width);
        for index in 0..n {
            let target = &mut white[index * width..][..width];
            for i in 0..width {
                let (before, line) = (&target[..i], &factor[i * width..][..=i]);
                target[i] = (row(index)[i] - mean[i] - dot(before, &line[..i])) / line[i];
            }
        }
        let distances: Vec<f64> = white.chunks_exact(width).map(|row| dot(row, row)).collect();
        let mut nearest: Vec<usize> = (0..n).collect();
        nearest.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
        nearest.truncate((share * n as f64).ceil() as usize);
        nearest.sort_unstable();
        if nearest == kept {
            break;
        }
        kept = nearest;
    }
    white
}

/// The lower factor of a covariance matrix, whose diagonal is first raised by a thousandth of its mean.
fn cholesky(mut matrix: Vec<f64>, width: usize) -> Vec<f64> {
    let trace: f64 = (0..width).map(|i| matrix[i * width + i]).sum();
    let raise = (1e-3 * trace / width as f64).max(f64::MIN_POSITIVE);
    for i in 0..width {
        matrix[i * width + i] += raise;
        for j in 0..=i {
            let shared = dot(&matrix[i * width..][..j], &matrix[j * width..][..j]);
            let left = matrix[i * width + j] - shared;
            matrix[i * width + j] =
                if i == j { left.max(f64::MIN_POSITIVE).sqrt() } else { left / matrix[j * width + j] };
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn ellipsoid(n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let scales = [1.0, 9.0, 3.0];
        (0..n).flat_map(|_| scales.map(|scale| 7.0 + scale * f64::from(normal(rng)))).collect()
    }

    fn deviations(rows: &[f64]) -> Vec<f64> {
        let (_, covariance) = moments(rows.chunks_exact(3), 3);
        (0..3).map(|i| covariance[i * 3 + i].sqrt()).collect()
    }

    #[test]
    fn backdoor_directions_of_an_ellipsoid_are_its_axes() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (coordinates, found) = reduce(&ellipsoid(2000, &mut rng), 3, 5, &mut rng);
        assert_eq!(found, 3);
        for (deviation, expected) in deviations(&coordinates).into_iter().zip([9.0, 3.0, 1.0]) {
            assert!((deviation / expected - 1.0).abs() < 0.06, "{deviation} {expected}");
        }
        assert_eq!(reduce(&[4.0; 12], 3, 2, &mut rng), (Vec::new(), 0));
    }

    #[test]
    fn backdoor_whitening_is_that_of_the_majority() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let mut rows = ellipsoid(900, &mut rng);
        rows.extend(ellipsoid(100, &mut rng).iter().zip([40.0, 0.0, 0.0].iter().cycle()).map(|(a, b)| a + b));
        let white = whiten(&rows, 3, 0.8);
        // A tenth is cut off the majority, whose units shrink by that much.
        for deviation in deviations(&white[..2700]) {
            assert!((0.9..1.5).contains(&deviation), "{deviation}");
        }
        let (mean, _) = moments(white[2700..].chunks_exact(3), 3);
        assert!(mean[0] > 25.0, "{mean:?}");
    }
}
