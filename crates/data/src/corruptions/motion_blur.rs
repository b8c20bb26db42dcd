use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::{Corrupt, Severity};

/// A camera in motion: half a Gaussian along a random direction that is at most 45° from the horizontal.
///
/// As ImageMagick's `-motion-blur`, which MNIST-C calls.
pub(super) struct MotionBlur;

/// Radius and standard deviation, in pixels of MNIST.
const MOTION: [(f32, f32); 5] = [(10.0, 3.0), (15.0, 5.0), (15.0, 8.0), (15.0, 12.0), (20.0, 15.0)];

impl Corrupt for MotionBlur {
    fn shipped(&self) -> Severity {
        Severity::ALL[0]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let degrees: f64 = rng.random_range(-45.0..45.0);
        let (radius, sigma) = severity.of(MOTION);
        blurred(&canvas, radius * canvas.unit(), sigma * canvas.unit(), degrees)
    }
}

/// Where a value comes from: columns to the right, rows down, and what of it.
struct Tap {
    right: usize,
    down: isize,
    weight: f32,
}

/// The taps of a motion: one a pixel of its length, each at the nearest pixel.
fn taps(radius: f32, sigma: f32, degrees: f64) -> Vec<Tap> {
    let length = 2 * radius.ceil() as u32 + 1;
    let weight = |at: u32| (-0.5 * (f64::from(at) / f64::from(sigma)).powi(2)).exp();
    let sum: f64 = (0..length).map(weight).sum();
    let (down, right) = degrees.to_radians().sin_cos();
    let nearest = |at: u32, along: f64| (f64::from(at) * along - 0.5).ceil() as isize;
    let tap = |at| Tap {
        right: nearest(at, right).max(0) as usize,
        down: nearest(at, down),
        weight: (weight(at) / sum) as f32,
    };
    (0..length).map(tap).collect()
}

/// Pixels outside are those at the edge.
fn blurred(canvas: &Canvas, radius: f32, sigma: f32, degrees: f64) -> Canvas {
    let (height, width) = (canvas.height, canvas.width);
    let taps = taps(radius, sigma, degrees);
    let farthest = taps.iter().map(|tap| tap.right).max().unwrap_or(0);
    let mut values = vec![0.0; canvas.values.len()];
    let mut line = vec![0.0; width + farthest];
    for (out, plane) in values.chunks_exact_mut(canvas.area()).zip(canvas.planes()) {
        for (from, row) in plane.chunks_exact(width).enumerate() {
            line[..width].copy_from_slice(row);
            line[width..].fill(row[width - 1]);
            for tap in &taps {
                for y in readers(from, tap.down, height) {
                    let out = out[y * width..][..width].iter_mut();
                    out.zip(&line[tap.right..]).for_each(|(out, value)| *out += tap.weight * value);
                }
            }
        }
    }
    canvas.with(values)
}

/// The rows that read the row `from` when they look so far down.
fn readers(from: usize, down: isize, height: usize) -> std::ops::Range<usize> {
    let place = |row: usize| row.saturating_add_signed(-down).min(height);
    let start = if from == 0 { 0 } else { place(from) };
    let end = if from == height - 1 { height } else { place(from + 1) };
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn the_blur_is_imagemagicks() {
        for case in golden::cases("motion") {
            let canvas = golden::canvas(&case["picture"]);
            let [radius, sigma, degrees] =
                ["radius", "sigma", "degrees"].map(|name| golden::number(&case[name]));
            let found = blurred(&canvas, radius as f32, sigma as f32, degrees);
            golden::assert_near(&found, &case["out"]);
        }
    }
}
