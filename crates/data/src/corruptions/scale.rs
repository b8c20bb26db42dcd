use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::warp::Affine;
use super::{Corrupt, Severity};

/// The picture shrinks to this share of its sides, about its middle.
pub(super) struct Scale;

const SHARE: [f32; 5] = [0.9, 0.8, 0.7, 0.6, 0.5];

impl Corrupt for Scale {
    fn shipped(&self) -> Severity {
        Severity::ALL[2]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, _rng: &mut ChaCha8Rng) -> Canvas {
        canvas.warp(scaled(severity.of(SHARE)))
    }
}

fn scaled(share: f32) -> Affine {
    Affine { columns: [1.0 / share, 0.0, 0.0], rows: [0.0, 1.0 / share, 0.0] }
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn warps_are_scikit_images() {
        golden::assert_warps("scale", |by| scaled(by[0]));
    }
}
