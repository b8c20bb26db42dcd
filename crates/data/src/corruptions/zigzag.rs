use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::line::Line;
use super::{Corrupt, Severity};

/// A zigzag across the picture.
pub(super) struct Zigzag;

/// The pen's reach in pixels of MNIST. MNIST-C has the third alone; the others are ours.
const REACH: [f32; 5] = [1.6, 1.9, 2.3, 3.0, 4.0];
/// Half the length of a stroke, along the zigzag, and how far the strokes go to each side, in pixels of MNIST.
const STEP: f32 = 2.0;
/// The columns of MNIST that it starts and ends at.
const COLUMNS: [f32; 2] = [2.0, 25.0];

impl Corrupt for Zigzag {
    fn shipped(&self) -> Severity {
        Severity::ALL[2]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let row = f32::from(rng.random_range(0..27i8));
        let rise = f32::from(rng.random_range(-5..5i8));
        drawn(canvas, [row, row + rise], severity.of(REACH))
    }
}

/// Draws the zigzag along the line between two rows. Where strokes meet, the ink is no brighter than white.
fn drawn(mut canvas: Canvas, [first, last]: [f32; 2], reach: f32) -> Canvas {
    let size = [canvas.height, canvas.width];
    let mut layer = vec![0.0; canvas.area()];
    for ends in corners(first, last).windows(2) {
        Line { from: ends[0], to: ends[1], reach }.draw(&mut layer, size);
    }
    canvas.add(&layer);
    canvas
}

/// The corners, from left to right: columns and rows.
fn corners(first: f32, last: f32) -> Vec<[f32; 2]> {
    let angle = ((last - first) / (COLUMNS[1] - COLUMNS[0])).atan();
    let (sine, cosine) = angle.sin_cos();
    let length = (COLUMNS[1] - COLUMNS[0]) / cosine;
    let strokes = ((length - STEP) / (2.0 * STEP)).floor() as u8 + 1;
    let side = |stroke: u8| if stroke.is_multiple_of(2) { STEP } else { -STEP };
    let mut corners = vec![[0.0, 0.0]];
    corners.extend((0..strokes).map(|stroke| [f32::from(2 * stroke + 1) * STEP, side(stroke)]));
    let whole = 2.0 * STEP * (length / (2.0 * STEP)).floor();
    if length != whole {
        corners.push([length, side(strokes - 1) / (2.0 * (length - whole))]);
    }
    let turned = |[x, y]: [f32; 2]| [cosine * x - sine * y + COLUMNS[0], sine * x + cosine * y + first];
    corners.into_iter().map(turned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn the_zigzag_is_mnist_cs() {
        for case in golden::cases("zigzag") {
            let canvas = golden::canvas(&case["picture"]);
            let rows = [golden::number(&case["first"]) as f32, golden::number(&case["last"]) as f32];
            golden::assert_near(&drawn(canvas, rows, REACH[2]), &case["out"]);
        }
    }
}
