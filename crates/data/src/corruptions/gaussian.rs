//! Gaussian blur.

/// Blurs a plane `[height, width]` with the standard deviation `sigma` in pixels, as scipy's `gaussian_filter` does with
/// `mode="nearest"`: weights up to four standard deviations away, and pixels outside are those at the edge.
pub(super) fn blur(plane: &[f32], [height, width]: [usize; 2], sigma: f32) -> Vec<f32> {
    let kernel = kernel(sigma);
    let radius = kernel.len() / 2;
    let mut down = vec![0.0; plane.len()];
    for (y, out) in down.chunks_exact_mut(width).enumerate() {
        for (tap, weight) in kernel.iter().enumerate() {
            let from = (y + tap).saturating_sub(radius).min(height - 1);
            add(out, &plane[from * width..][..width], *weight);
        }
    }
    let mut across = vec![0.0; plane.len()];
    let mut line = vec![0.0; width + 2 * radius];
    for (out, row) in across.chunks_exact_mut(width).zip(down.chunks_exact(width)) {
        line[..radius].fill(row[0]);
        line[radius..radius + width].copy_from_slice(row);
        line[radius + width..].fill(row[width - 1]);
        for (tap, weight) in kernel.iter().enumerate() {
            add(out, &line[tap..tap + width], *weight);
        }
    }
    across
}

/// Weights of sum 1 at the distances −4σ to 4σ.
pub(super) fn kernel(sigma: f32) -> Vec<f32> {
    let sigma = f64::from(sigma);
    let radius = (4.0 * sigma + 0.5) as i32;
    let weights = (-radius..=radius).map(|at| (-0.5 * (f64::from(at) / sigma).powi(2)).exp());
    let sum: f64 = weights.clone().sum();
    weights.map(|weight| (weight / sum) as f32).collect()
}

fn add(out: &mut [f32], row: &[f32], weight: f32) {
    out.iter_mut().zip(row).for_each(|(out, value)| *out += weight * value);
}
