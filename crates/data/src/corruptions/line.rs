//! Strokes of a soft pen.

use super::canvas::Canvas;

/// A stroke from a column and row to another, in pixels of MNIST.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) from: [f32; 2],
    pub(super) to: [f32; 2],
    /// How far above and below ink could be; it ends at 1 − 1/e of this.
    pub(super) reach: f32,
}

impl Line {
    /// Adds the stroke to a plane `[height, width]`: 1 + ln(1 − d / reach), not below 0, at the vertical distance d. None is
    /// left of the column where it starts or right of where it ends.
    pub(super) fn draw(&self, layer: &mut [f32], [height, width]: [usize; 2]) {
        let ([first, start], [last, end]) = (self.from, self.to);
        if first == last {
            return;
        }
        let slope = (end - start) / (last - first);
        for (x, column) in Canvas::places(width).enumerate() {
            if column < first.floor() || column >= last.ceil() {
                continue;
            }
            let middle = slope * (column - first) + start;
            for (y, row) in Canvas::places(height).enumerate() {
                let distance = (row - middle).abs() / self.reach;
                if distance < 1.0 {
                    layer[y * width + x] += (1.0 + (1.0 - distance).ln()).max(0.0);
                }
            }
        }
    }
}
