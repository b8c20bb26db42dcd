use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::{Corrupt, Severity};

/// Light that comes in single photons: each value is a Poisson draw, of this mean where the picture is white, over
/// that mean.
pub(super) struct ShotNoise;

const PHOTONS: [f64; 5] = [60.0, 25.0, 12.0, 5.0, 3.0];

impl Corrupt for ShotNoise {
    fn shipped(&self) -> Severity {
        Severity::ALL[4]
    }

    fn apply(&self, mut canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let photons = severity.of(PHOTONS);
        for value in &mut canvas.values {
            let share: f64 = rng.random();
            *value = (poisson(f64::from(*value) * photons, share) / photons) as f32;
        }
        canvas
    }
}

/// The smallest count that a Poisson variable of this mean does not exceed with the probability `share` or more: of a
/// uniform share, a draw.
fn poisson(mean: f64, share: f64) -> f64 {
    let (mut count, mut probability) = (0.0, (-mean).exp());
    let mut sum = probability;
    // Beyond the mean, what rounding would hide never comes.
    while sum < share && (count < mean || probability > 1e-18) {
        count += 1.0;
        probability *= mean / count;
        sum += probability;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn draws_are_the_quantiles_that_scipy_gives() {
        for case in golden::cases("poisson") {
            let (mean, shares) = (golden::number(&case["mean"]), golden::numbers(&case["shares"]));
            let found: Vec<f64> = shares.iter().map(|share| poisson(mean, *share)).collect();
            assert_eq!(found, golden::numbers(&case["counts"]), "a mean of {mean}");
        }
    }
}
