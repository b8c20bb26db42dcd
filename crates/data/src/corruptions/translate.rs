use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::warp::Affine;
use super::{Corrupt, Severity};

/// The picture moves along a diagonal, by this far to a side and as far up or down.
pub(super) struct Translate;

/// In pixels of MNIST; other pictures move by the same share of each side.
const SHIFT: [f32; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];

impl Corrupt for Translate {
    fn shipped(&self) -> Severity {
        Severity::ALL[2]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let [x, y] = [canvas.width, canvas.height].map(|side| {
            let shift = severity.of(SHIFT) * side as f32 / 28.0;
            if rng.random() { shift } else { -shift }
        });
        canvas.warp(translated(x, y))
    }
}

fn translated(x: f32, y: f32) -> Affine {
    Affine { columns: [1.0, 0.0, x], rows: [0.0, 1.0, y] }
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn warps_are_scikit_images() {
        golden::assert_warps("translate", |by| translated(by[0], by[1]));
    }
}
