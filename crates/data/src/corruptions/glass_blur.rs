use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::gaussian::blur;
use super::{Corrupt, Severity};

/// Frosted glass: a Gaussian blur, neighbouring pixels that change places, and the blur again.
pub(super) struct GlassBlur;

/// Standard deviation and farthest exchange in pixels of MNIST, and how often all pixels are gone through.
const GLASS: [(f32, f32, usize); 5] =
    [(0.7, 1.0, 2), (0.9, 2.0, 1), (1.0, 2.0, 3), (1.1, 3.0, 2), (1.5, 4.0, 2)];

impl Corrupt for GlassBlur {
    fn shipped(&self) -> Severity {
        Severity::ALL[0]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let (sigma, farthest, times) = severity.of(GLASS);
        let sigma = sigma * canvas.unit();
        let farthest = (farthest * canvas.unit()).round().max(1.0) as usize;
        let mut canvas = blurred(&canvas, sigma);
        (0..times).for_each(|_| shuffle(&mut canvas, farthest, rng));
        blurred(&canvas, sigma)
    }
}

fn blurred(canvas: &Canvas, sigma: f32) -> Canvas {
    let size = [canvas.height, canvas.width];
    canvas.with(canvas.planes().flat_map(|plane| blur(plane, size, sigma)).collect())
}

/// Half of the pixels, from the last to the first, change places with one at most so many rows and columns away. A margin
/// as wide is not gone through.
fn shuffle(canvas: &mut Canvas, farthest: usize, rng: &mut ChaCha8Rng) {
    let (height, width) = (canvas.height, canvas.width);
    let inner = |side: usize| (farthest + 1..(side + 1).saturating_sub(farthest)).rev();
    for y in inner(height) {
        for x in inner(width) {
            if !rng.random::<bool>() {
                continue;
            }
            // From −farthest to farthest − 1, as MNIST-C draws them.
            let [x2, y2] = [x, y].map(|at| at + rng.random_range(0..2 * farthest) - farthest);
            let (here, there) = (y * width + x, y2 * width + x2);
            canvas.planes_mut().for_each(|plane| plane.swap(here, there));
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::golden;
    use super::*;

    #[test]
    fn the_blur_is_scipys() {
        for case in golden::cases("gaussian") {
            let canvas = golden::canvas(&case["picture"]);
            golden::assert_near(&blurred(&canvas, golden::number(&case["sigma"]) as f32), &case["out"]);
        }
    }

    #[test]
    fn shuffling_moves_pixels_and_keeps_them_all() {
        let values: Vec<f32> = (0..2 * 20 * 30).map(|at| at as f32).collect();
        let whole = Canvas { height: 20, width: 30, values };
        let mut shuffled = whole.clone();
        shuffle(&mut shuffled, 3, &mut ChaCha8Rng::seed_from_u64(1));
        let moved = whole.values.iter().zip(&shuffled.values).filter(|(a, b)| a != b).count();
        // 14 × 24 pixels in two channels are gone through, and each may go to the margin.
        assert!(moved > 400 && moved < 800, "{moved} of 1,200 moved");
        let (first, second) = shuffled.values.split_at(600);
        assert!(first.iter().zip(second).all(|(a, b)| a + 600.0 == *b), "channels move together");
        let mut sorted = shuffled.values.clone();
        sorted.sort_by(f32::total_cmp);
        assert_eq!(sorted, whole.values);
    }

    #[test]
    fn a_picture_without_an_inside_stays() {
        let tiny = Canvas { height: 2, width: 9, values: (0..18).map(|at| at as f32).collect() };
        let mut shuffled = tiny.clone();
        shuffle(&mut shuffled, 1, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(shuffled, tiny);
    }
}
