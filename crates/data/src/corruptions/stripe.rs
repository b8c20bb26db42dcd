use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::{Corrupt, Severity};

/// A stripe along the left edge and one along the right are inverted: dark is bright there.
pub(super) struct Stripe;

/// Width of each, in pixels of MNIST's 28. MNIST-C has the third alone; the others are ours.
const WIDTH: [f32; 5] = [3.0, 5.0, 7.0, 9.0, 11.0];

impl Corrupt for Stripe {
    fn shipped(&self) -> Severity {
        Severity::ALL[2]
    }

    fn apply(&self, mut canvas: Canvas, severity: Severity, _rng: &mut ChaCha8Rng) -> Canvas {
        let width = severity.of(WIDTH);
        let inside = |column: f32| column >= width - 0.5 && column <= 27.5 - width;
        let inverted: Vec<bool> = Canvas::places(canvas.width).map(|column| !inside(column)).collect();
        for row in canvas.values.chunks_exact_mut(canvas.width) {
            for (value, _) in row.iter_mut().zip(&inverted).filter(|(_, inverted)| **inverted) {
                *value = 1.0 - *value;
            }
        }
        canvas
    }
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn the_stripes_are_mnist_cs() {
        for case in golden::cases("stripe") {
            golden::assert_shipped(&Stripe, &case);
        }
    }
}
