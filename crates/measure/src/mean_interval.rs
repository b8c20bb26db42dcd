//! What a few repetitions tell of a mean.

use crate::interval::Interval;

/// The mean of the values, and the interval that holds the mean of all possible repetitions with a probability of
/// `confidence`, if they are normally distributed (Student 1908); `None` without values, and no interval of one value.
///
/// # Panics
///
/// If `confidence` is not strictly between 0 and 1.
#[must_use]
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<(f64, Option<Interval>)> {
    assert!(confidence > 0.0 && confidence < 1.0, "confidence {confidence} is not strictly between 0 and 1");
    let count = values.len() as f64;
    let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / count)?;
    if values.len() == 1 {
        return Some((mean, None));
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let half =
        student_quantile(confidence, values.len() as u32 - 1) * (squares / (count - 1.0) / count).sqrt();
    Some((mean, Some(Interval { low: mean - half, high: mean + half })))
}

/// The t that a variable of Student's distribution with so many degrees of freedom stays within, on both sides of 0, with
/// a probability of `confidence`.
fn student_quantile(confidence: f64, freedom: u32) -> f64 {
    // As the angle whose tangent is t / √ν, which is bounded.
    let (mut low, mut high) = (0.0, std::f64::consts::FRAC_PI_2);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if within(middle, freedom) < confidence {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.tan() * f64::from(freedom).sqrt()
}

/// The probability of lying within ±√ν · tan(angle), by the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
fn within(angle: f64, freedom: u32) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let is_odd = freedom % 2 == 1;
    let (mut term, mut sum, mut power) = (if is_odd { cosine } else { 1.0 }, 0.0, if is_odd { 3 } else { 2 });
    while power <= freedom {
        sum += term;
        let power_before = f64::from(power - 1);
        term *= power_before / f64::from(power) * cosine * cosine;
        power += 2;
    }
    if is_odd { std::f64::consts::FRAC_2_PI * (angle + sine * sum) } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the usual tables, t of 95% and 99% on both sides.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, t95, t99) in [
            (1, 12.706_205, 63.656_741),
            (2, 4.302_653, 9.924_843),
            (3, 3.182_446, 5.840_909),
            (4, 2.776_445, 4.604_095),
            (9, 2.262_157, 3.249_836),
            (30, 2.042_272, 2.749_996),
        ] {
            for (confidence, expected) in [(0.95, t95), (0.99, t99)] {
                let found = student_quantile(confidence, freedom);
                assert!((found / expected - 1.0).abs() < 1e-6, "{freedom}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn a_mean_of_three() {
        let (mean, interval) = mean_interval(&[1.0, 2.0, 3.0], 0.95).unwrap();
        let interval = interval.unwrap();
        // 4.302653 · 1 / √3.
        assert!((mean - 2.0).abs() < 1e-12 && (interval.high - 4.484_138).abs() < 1e-6, "{interval:?}");
        assert_eq!(mean_interval(&[5.0], 0.95), Some((5.0, None)));
        assert_eq!(mean_interval(&[], 0.95), None);
    }
}
