/// The peak signal-to-noise ratio of a picture in decibels, 10 log₁₀(range² / mean squared error): higher is better, ∞ where
/// nothing differs. Of a part, such as what was hidden, give its values alone.
///
/// `range` is that of the values, such as 255 or 1. `None` without values.
///
/// # Panics
///
/// If the pictures differ in size.
pub fn psnr(picture: &[f64], truth: &[f64], range: f64) -> Option<f64> {
    assert_eq!(picture.len(), truth.len(), "pictures of one size");
    let error = crate::linear::squared_distance(picture, truth) / truth.len() as f64;
    (!truth.is_empty()).then(|| 10.0 * (range * range / error).log10())
}
