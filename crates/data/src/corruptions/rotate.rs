use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::warp::Affine;
use super::{Corrupt, Severity};

/// The picture turns about its middle by this angle, to the left or to the right.
pub(super) struct Rotate;

/// In radians.
const ANGLE: [f32; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];

impl Corrupt for Rotate {
    fn shipped(&self) -> Severity {
        Severity::ALL[1]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let angle = severity.of(ANGLE);
        canvas.warp(rotated(if rng.random() { angle } else { -angle }))
    }
}

fn rotated(angle: f32) -> Affine {
    let (sine, cosine) = angle.sin_cos();
    Affine { columns: [cosine, -sine, 0.0], rows: [sine, cosine, 0.0] }
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn warps_are_scikit_images() {
        golden::assert_warps("rotate", |by| rotated(by[0]));
    }
}
