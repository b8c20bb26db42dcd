use super::squared_distance;

/// The Gaussian kernel `[n, n]` of points `[n, width]`: `exp(−d² / 2s²)`, where `s` is the median distance of two
/// of them, the upper one of two in the middle.
///
/// The choice of `s`: A. Gretton et al.: A kernel two-sample test, 2012. Where most points are one and the same, it is 1.
pub(super) fn gaussian(points: &[f32], width: usize) -> Vec<f64> {
    let count = points.len() / width;
    let point = |i: usize| &points[i * width..][..width];
    let mut kernel = vec![0.0; count * count];
    let mut distances = Vec::with_capacity(count * count.saturating_sub(1) / 2);
    for i in 0..count {
        for j in 0..i {
            let distance = squared_distance(point(i), point(j));
            (kernel[i * count + j], kernel[j * count + i]) = (distance, distance);
            distances.push(distance);
        }
    }
    let middle = distances.len() / 2;
    let median = match distances.is_empty() {
        true => 0.0,
        false => *distances.select_nth_unstable_by(middle, f64::total_cmp).1,
    };
    let median = if median > 0.0 { median } else { 1.0 };
    kernel.iter_mut().for_each(|value| *value = (-*value / (2.0 * median)).exp());
    kernel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_distance_is_the_unit() {
        // Distances 3, 4 and 5.
        let kernel = gaussian(&[0.0, 0.0, 3.0, 0.0, 0.0, 4.0], 2);
        let at = |squared: f64| (-squared / 32.0).exp();
        let expected = [1.0, at(9.0), at(16.0), at(9.0), 1.0, at(25.0), at(16.0), at(25.0), 1.0];
        assert!(kernel.iter().zip(expected).all(|(k, e)| (k - e).abs() < 1e-15), "{kernel:?}");
    }

    #[test]
    fn few_points_and_equal_ones_are_no_trouble() {
        assert!(gaussian(&[], 2).is_empty());
        assert_eq!(gaussian(&[2.0, 3.0], 2), [1.0]);
        assert_eq!(gaussian(&[2.0; 6], 2), [1.0; 9]);
    }
}
