use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::gaussian::blur;
use super::{Corrupt, Severity};

/// Splashes of dark mud on the lens: where blurred noise is high, a soft patch of grey.
pub(super) struct Spatter;

/// How the patches come about.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Mud {
    /// Mean and standard deviation of the noise.
    noise: [f32; 2],
    /// Standard deviation of the noise's blur, in pixels of MNIST.
    size: f32,
    /// There is mud where blurred noise is above.
    threshold: f32,
    /// Standard deviation of the blur of what is mud, in pixels of MNIST.
    softness: f32,
}

const fn mud(noise: [f32; 2], size: f32, threshold: f32, softness: f32) -> Mud {
    Mud { noise, size, threshold, softness }
}

const MUD: [Mud; 5] = [
    mud([0.65, 0.3], 4.0, 0.69, 0.6),
    mud([0.65, 0.3], 3.0, 0.68, 0.6),
    mud([0.65, 0.3], 2.0, 0.68, 0.5),
    mud([0.65, 0.3], 1.0, 0.65, 1.5),
    mud([0.67, 0.4], 1.0, 0.65, 1.5),
];
/// How bright mud is.
const GREY: f32 = 63.0 / 255.0;
/// Mud that covers less than this share is none.
const LEAST: f32 = 0.8;

impl Corrupt for Spatter {
    fn shipped(&self) -> Severity {
        Severity::ALL[3]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let noise = normals(canvas.area(), rng);
        splashed(canvas, &noise, severity.of(MUD))
    }
}

/// Throws mud by standard normal noise `[height, width]`.
fn splashed(mut canvas: Canvas, noise: &[f32], mud: Mud) -> Canvas {
    let size = [canvas.height, canvas.width];
    let noise: Vec<f32> = noise.iter().map(|value| mud.noise[0] + mud.noise[1] * value).collect();
    let liquid = blur(&noise, size, mud.size * canvas.unit());
    let patches: Vec<f32> = liquid.iter().map(|value| f32::from(*value > mud.threshold)).collect();
    let covered = blur(&patches, size, mud.softness * canvas.unit());
    for plane in canvas.planes_mut() {
        for (value, share) in plane.iter_mut().zip(&covered).filter(|(_, share)| **share >= LEAST) {
            *value += share * (GREY - *value);
        }
    }
    canvas
}

/// Standard normal draws, two at a time (Box and Muller).
fn normals(count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut drawn = Vec::with_capacity(count + 1);
    while drawn.len() < count {
        // Above 0, for the logarithm.
        let length = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
        let (sine, cosine) = (std::f32::consts::TAU * rng.random::<f32>()).sin_cos();
        drawn.extend([length * cosine, length * sine]);
    }
    drawn.truncate(count);
    drawn
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::golden;
    use super::*;

    #[test]
    fn splashes_are_scikit_images() {
        for case in golden::cases("spatter") {
            let canvas = golden::canvas(&case["picture"]);
            let noise: Vec<f32> = golden::numbers(&case["noise"]).iter().map(|x| *x as f32).collect();
            let mud = MUD[golden::number(&case["severity"]) as usize - 1];
            golden::assert_near(&splashed(canvas, &noise, mud), &case["out"]);
        }
    }

    #[test]
    fn noise_is_standard_normal() {
        let drawn = normals(100_001, &mut ChaCha8Rng::seed_from_u64(1));
        let moment = |power| drawn.iter().map(|x| f64::from(*x).powi(power)).sum::<f64>() / 100_001.0;
        assert!(moment(1).abs() < 0.015 && (moment(2) - 1.0).abs() < 0.02, "{} {}", moment(1), moment(2));
        assert!(moment(3).abs() < 0.05 && (moment(4) - 3.0).abs() < 0.15, "{} {}", moment(3), moment(4));
    }
}
