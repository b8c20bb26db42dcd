use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::warp::Affine;
use super::{Corrupt, Severity};

/// Rows shift against each other, to the left or to the right, by this angle.
///
/// As the scikit-image of MNIST-C's time had it: rows grow taller by the cosine of the angle, too.
pub(super) struct Shear;

/// In radians.
const ANGLE: [f32; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];

impl Corrupt for Shear {
    fn shipped(&self) -> Severity {
        Severity::ALL[1]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let angle = severity.of(ANGLE);
        canvas.warp(sheared(if rng.random() { angle } else { -angle }))
    }
}

fn sheared(angle: f32) -> Affine {
    Affine { columns: [1.0, -angle.sin(), 0.0], rows: [0.0, angle.cos(), 0.0] }
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn warps_are_scikit_images() {
        golden::assert_warps("shear", |by| sheared(by[0]));
    }
}
