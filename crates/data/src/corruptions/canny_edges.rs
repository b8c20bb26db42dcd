use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::gaussian::kernel;
use super::{Corrupt, Severity};

/// The picture fades into its outlines: Canny's edges of a Gaussian of one pixel, white on black.
///
/// As scikit-image's `feature.canny` finds them.
pub(super) struct CannyEdges;

/// How far. MNIST-C has the last alone, edges and nothing else; the others are ours.
const SHARE: [f32; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];
/// Gradients from which there may be an edge, and of which an edge has at least one.
const THRESHOLDS: [f64; 2] = [0.1, 0.2];

impl Corrupt for CannyEdges {
    fn shipped(&self) -> Severity {
        Severity::ALL[4]
    }

    fn apply(&self, mut canvas: Canvas, severity: Severity, _rng: &mut ChaCha8Rng) -> Canvas {
        let share = severity.of(SHARE);
        let edges = Grid::of(&canvas).edges();
        for plane in canvas.planes_mut() {
            for (value, edge) in plane.iter_mut().zip(&edges) {
                *value = (1.0 - share) * *value + share * f32::from(*edge);
            }
        }
        canvas
    }
}

/// One plane, in float64 as the original: whether a gradient is the largest is often decided by rounding.
struct Grid {
    height: usize,
    width: usize,
    values: Vec<f64>,
}

/// Gradients down and to the right, and their length.
struct Gradients {
    down: Grid,
    right: Grid,
    length: Grid,
}

impl Grid {
    fn of(canvas: &Canvas) -> Self {
        let values = canvas.luma().into_iter().map(f64::from).collect();
        Self { height: canvas.height, width: canvas.width, values }
    }

    fn with(&self, value: impl Fn(usize, usize) -> f64) -> Self {
        let places = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (y, x)));
        Self { values: places.map(|(y, x)| value(y, x)).collect(), ..*self }
    }

    fn at(&self, y: usize, x: usize) -> f64 {
        self.values[y * self.width + x]
    }

    /// True on edges.
    fn edges(&self) -> Vec<bool> {
        let gradients = self.smoothed().gradients();
        let thin = gradients.thinned();
        self.connected(&thin)
    }

    /// A Gaussian of one pixel whose weights inside the picture sum to 1.
    fn smoothed(&self) -> Self {
        let kernel: Vec<f64> = kernel(1.0).into_iter().map(f64::from).collect();
        let radius = kernel.len() / 2;
        // The places on a side that one draws on, and their weights.
        let taps = |at: usize, side: usize| {
            let places = at.saturating_sub(radius)..(at + radius + 1).min(side);
            let weights = &kernel[places.start + radius - at..][..places.len()];
            (places, weights, weights.iter().sum::<f64>())
        };
        let mut down = vec![0.0; self.values.len()];
        for (y, out) in down.chunks_exact_mut(self.width).enumerate() {
            let (rows, weights, whole) = taps(y, self.height);
            for (row, weight) in rows.zip(weights) {
                let row = &self.values[row * self.width..][..self.width];
                out.iter_mut().zip(row).for_each(|(out, value)| *out += weight * value);
            }
            out.iter_mut().for_each(|out| *out /= whole);
        }
        let mut across = Vec::with_capacity(down.len());
        for row in down.chunks_exact(self.width) {
            across.extend((0..self.width).map(|x| {
                let (columns, weights, whole) = taps(x, self.width);
                dot(&row[columns], weights) / whole
            }));
        }
        Self { values: across, ..*self }
    }

    /// Sobel's; pixels outside are those at the edge.
    fn gradients(&self) -> Gradients {
        let (bottom, end) = (self.height - 1, self.width - 1);
        let around = |at: usize, last: usize| [at.saturating_sub(1), at, (at + 1).min(last)];
        let sum = |values: [f64; 3]| values[0] + 2.0 * values[1] + values[2];
        let down = self.with(|y, x| {
            let [above, _, below] = around(y, bottom);
            sum(around(x, end).map(|x| self.at(below, x) - self.at(above, x)))
        });
        let right = self.with(|y, x| {
            let [left, _, right] = around(x, end);
            sum(around(y, bottom).map(|y| self.at(y, right) - self.at(y, left)))
        });
        let length = self.with(|y, x| (down.at(y, x).powi(2) + right.at(y, x).powi(2)).sqrt());
        Gradients { down, right, length }
    }

    /// Gradients above the lower threshold that hang together with one above the upper, diagonals included.
    fn connected(&self, thin: &[f64]) -> Vec<bool> {
        let mut edges: Vec<bool> = thin.iter().map(|length| *length >= THRESHOLDS[1]).collect();
        let mut open: Vec<usize> = (0..edges.len()).filter(|at| edges[*at]).collect();
        while let Some(at) = open.pop() {
            let (y, x) = (at / self.width, at % self.width);
            for y in y.saturating_sub(1)..=(y + 1).min(self.height - 1) {
                for x in x.saturating_sub(1)..=(x + 1).min(self.width - 1) {
                    let next = y * self.width + x;
                    if thin[next] > 0.0 && !edges[next] {
                        edges[next] = true;
                        open.push(next);
                    }
                }
            }
        }
        edges
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Gradients {
    /// The lengths that no neighbour along the gradient exceeds, between pixels linearly; zero elsewhere, where the
    /// lower threshold is not reached, and on the border.
    fn thinned(&self) -> Vec<f64> {
        let inside = |at: usize, side: usize| at > 0 && at + 1 < side;
        let length = &self.length;
        let kept = length.with(|y, x| {
            let own = length.at(y, x);
            let looked_at = inside(y, length.height) && inside(x, length.width) && own >= THRESHOLDS[0];
            if looked_at && self.is_largest(y, x, own) { own } else { 0.0 }
        });
        kept.values
    }

    fn is_largest(&self, y: usize, x: usize, own: f64) -> bool {
        let (down, right) = (self.down.at(y, x), self.right.at(y, x));
        // Along one of the diagonals, or between it and an axis.
        let falling = (down >= 0.0 && right >= 0.0) || (down <= 0.0 && right <= 0.0);
        let steep = if falling { down.abs() > right.abs() } else { down.abs() >= right.abs() };
        let weight = if steep { right.abs() / down.abs() } else { down.abs() / right.abs() };
        [1isize, -1].into_iter().all(|way| {
            // Towards the right on flat ground; up or down with the gradient on steep ground.
            let (dx, dy) = if falling { (way, way) } else { (way, -way) };
            let at = |dy, dx| self.length.at(y.wrapping_add_signed(dy), x.wrapping_add_signed(dx));
            let axis = if steep { at(dy, 0) } else { at(0, dx) };
            at(dy, dx) * weight + axis * (1.0 - weight) <= own
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn edges_are_scikit_images() {
        for case in golden::cases("canny") {
            golden::assert_shipped(&CannyEdges, &case);
        }
    }
}
