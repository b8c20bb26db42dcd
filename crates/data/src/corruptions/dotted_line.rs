use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::line::Line;
use super::{Corrupt, Severity};

/// A dotted line across the picture.
pub(super) struct DottedLine;

/// The pen's reach in pixels of MNIST. MNIST-C has the third alone; the others are ours.
const REACH: [f32; 5] = [1.6, 1.9, 2.3, 3.0, 4.0];
/// Length of a dot, and of a gap, in pixels of MNIST.
const DOT: f32 = 2.0;

impl Corrupt for DottedLine {
    fn shipped(&self) -> Severity {
        Severity::ALL[2]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let ends = [rng.random_range(0..27), rng.random_range(0..27)];
        drawn(canvas, ends.map(|row: u8| f32::from(row)), severity.of(REACH))
    }
}

/// Draws the line between rows of the two sides, from a gap on.
fn drawn(mut canvas: Canvas, [left, right]: [f32; 2], reach: f32) -> Canvas {
    let size = [canvas.height, canvas.width];
    let mut layer = vec![0.0; canvas.area()];
    Line { from: [0.0, left], to: [27.0, right], reach }.draw(&mut layer, size);
    for (x, column) in Canvas::places(canvas.width).enumerate() {
        if ((column.max(0.0) / DOT) as u32).is_multiple_of(2) {
            layer.iter_mut().skip(x).step_by(canvas.width).for_each(|value| *value = 0.0);
        }
    }
    canvas.add(&layer);
    canvas
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn the_line_is_mnist_cs() {
        for case in golden::cases("dotted_line") {
            let canvas = golden::canvas(&case["picture"]);
            let rows = [golden::number(&case["left"]) as f32, golden::number(&case["right"]) as f32];
            golden::assert_near(&drawn(canvas, rows, REACH[2]), &case["out"]);
        }
    }
}
