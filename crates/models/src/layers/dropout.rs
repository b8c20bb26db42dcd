use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Dropout (Srivastava et al. 2014), inverted: kept units are divided by the probability of being kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropout {
    name: String,
    probability: f64,
}

impl Dropout {
    /// Units are dropped with `probability`, in `[0, 1)`.
    #[must_use]
    pub fn new(name: &str, probability: f64) -> Self {
        Self { name: name.to_owned(), probability }
    }

    /// The name of this site, such as `drop1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Drops units of `[batch, features]`. The mask is drawn on the host, so that it is the same on every device.
    #[must_use]
    pub fn forward(&self, input: Tensor<2>, rng: &mut ChaCha8Rng) -> Tensor<2> {
        if self.probability == 0.0 {
            return input;
        }
        let shape = input.dims();
        let mask = mask(shape[0] * shape[1], 1.0 - self.probability, rng);
        let device = input.device();
        input * Tensor::from_data(TensorData::new(mask, shape), &device)
    }
}

/// `1 / keep` with probability `keep` to the nearest 2⁻³², else zero.
fn mask(count: usize, keep: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let (scale, limit) = ((1.0 / keep) as f32, (keep * 2f64.powi(32)).round() as u64);
    let mut mask = Vec::with_capacity(count);
    // Many words at once: one by one, a draw takes longer than the bits themselves.
    let mut words = [0; 4096];
    while mask.len() < count {
        let words = &mut words[..(4 * (count - mask.len())).min(4096)];
        rng.fill_bytes(words);
        let (words, _) = words.as_chunks();
        let value = |word: &[u8; 4]| if u64::from(u32::from_le_bytes(*word)) < limit { scale } else { 0.0 };
        mask.extend(words.iter().map(value));
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_share_that_is_kept_is_the_probability() {
        for keep in [0.9, 0.5, 0.01, 1.0] {
            let mask = mask(200_001, keep, &mut ChaCha8Rng::seed_from_u64(3));
            let kept = mask.iter().filter(|&&value| value != 0.0).count() as f64 / 200_001.0;
            // Five standard deviations.
            assert!(
                (kept - keep).abs() <= 5.0 * (keep * (1.0 - keep) / 200_001.0).sqrt(),
                "{kept} of {keep}"
            );
            assert!(mask.iter().all(|&value| value == 0.0 || value == (1.0 / keep) as f32));
        }
    }

    /// No unit's fate tells its neighbours'.
    #[test]
    fn units_are_dropped_apart_from_each_other() {
        let mask = mask(100_000, 0.5, &mut ChaCha8Rng::seed_from_u64(4));
        for step in [1, 2, 1024, 4096] {
            let same = mask.iter().zip(&mask[step..]).filter(|(a, b)| a == b).count() as f64;
            let pairs = (mask.len() - step) as f64;
            assert!((same / pairs - 0.5).abs() < 5.0 * 0.5 / pairs.sqrt(), "{step}: {same} of {pairs}");
        }
    }
}
