/// Pixels from the middle of the window to its edge.
const RADIUS: usize = 5;
/// Standard deviation of the window's weights, in pixels.
const SIGMA: f64 = 1.5;
/// Shares of the range that keep quotients of small numbers in check.
const STABLE: [f64; 2] = [0.01, 0.03];

/// The structural similarity of two pictures `[channels, height, width]`: the mean over all windows of 11 × 11 pixels that lie
/// inside, weighted by a Gaussian, and over channels. 1 where they are equal; it can be below 0.
///
/// `range` is that of the values, such as 255 or 1. `None` where a side is shorter than a window, or without channels.
///
/// Source: Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE Transactions on
/// Image Processing 13 (2004); as scikit-image's `structural_similarity` with `gaussian_weights=True` and
/// `use_sample_covariance=False`.
///
/// # Panics
///
/// If a picture has not as many values as the shape says.
pub fn ssim(a: &[f64], b: &[f64], [channels, height, width]: [usize; 3], range: f64) -> Option<f64> {
    assert_eq!([a.len(), b.len()], [channels * height * width; 2], "pictures of the shape");
    if channels == 0 || height.min(width) <= 2 * RADIUS {
        return None;
    }
    let planes = a.chunks_exact(height * width).zip(b.chunks_exact(height * width));
    let sum: f64 = planes.map(|(a, b)| of_plane(a, b, width, range)).sum();
    Some(sum / channels as f64)
}

fn of_plane(a: &[f64], b: &[f64], width: usize, range: f64) -> f64 {
    let mean = |value: &dyn Fn(f64, f64) -> f64| {
        windows(&a.iter().zip(b).map(|(a, b)| value(*a, *b)).collect::<Vec<_>>(), width)
    };
    let (means_a, means_b) = (mean(&|a, _| a), mean(&|_, b| b));
    let (squares_a, squares_b, products) = (mean(&|a, _| a * a), mean(&|_, b| b * b), mean(&|a, b| a * b));
    let [first, second] = STABLE.map(|share| (share * range).powi(2));
    let similarity = |at: usize| {
        let (a, b) = (means_a[at], means_b[at]);
        let spread = (squares_a[at] - a * a) + (squares_b[at] - b * b);
        let shared = products[at] - a * b;
        (2.0 * a * b + first) * (2.0 * shared + second) / ((a * a + b * b + first) * (spread + second))
    };
    (0..means_a.len()).map(similarity).sum::<f64>() / means_a.len() as f64
}

/// The weighted mean of each window of a plane that lies inside.
fn windows(plane: &[f64], width: usize) -> Vec<f64> {
    let weight = |at: usize| (-0.5 * ((at as f64 - RADIUS as f64) / SIGMA).powi(2)).exp();
    let whole: f64 = (0..=2 * RADIUS).map(weight).sum();
    let weights: Vec<f64> = (0..=2 * RADIUS).map(|at| weight(at) / whole).collect();
    let sum = |values: &mut dyn Iterator<Item = f64>| values.zip(&weights).map(|(x, w)| x * w).sum::<f64>();
    let inside = width - 2 * RADIUS;
    let across: Vec<f64> = plane
        .chunks_exact(width)
        .flat_map(|row| row.windows(2 * RADIUS + 1))
        .map(|window| sum(&mut window.iter().copied()))
        .collect();
    let rows = across.len() / inside - 2 * RADIUS;
    let down = |at: usize| sum(&mut across[at..].iter().step_by(inside).copied());
    (0..rows * inside).map(down).collect()
}
