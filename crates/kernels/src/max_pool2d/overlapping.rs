//! Windows that overlap, have gaps between them or in them, or reach over the border.

use std::hint::select_unpredictable;

use pulp::{Simd, WithSimd};

use super::Larger;
use crate::{simd::Update, windows::Windows};

/// The maxima of one plane.
pub(super) struct Forward<'a> {
    pub(super) windows: Windows,
    pub(super) plane: &'a [f32],
    pub(super) output: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    /// First down the columns of a row of windows, then along it: a maximum for each place where a window could begin,
    /// whole vectors at a time, of which every `stride`th is one.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { windows, plane, output } = self;
        let [_, step] = windows.dilation;
        // The padding stays −∞ from row to row.
        let mut columns = vec![f32::NEG_INFINITY; windows.padded_width()];
        let mut maxima = vec![0.0; columns.len() - step * (windows.kernel[1] - 1)];
        for (row, output) in output.chunks_exact_mut(windows.output[1]).enumerate() {
            let inside = &mut columns[windows.padding[1]..][..windows.image[1]];
            let mut rows = windows.rows(row);
            match rows.next() {
                Some(pixels) => inside.copy_from_slice(&plane[pixels]),
                None => inside.fill(f32::NEG_INFINITY),
            }
            for pixels in rows {
                Update { f: Larger, target: inside, others: [&plane[pixels]] }.with_simd(simd);
            }
            let length = maxima.len();
            maxima.copy_from_slice(&columns[..length]);
            for tap in 1..windows.kernel[1] {
                let others = [&columns[tap * step..][..length]];
                Update { f: Larger, target: &mut maxima, others }.with_simd(simd);
            }
            for (best, maximum) in output.iter_mut().zip(maxima.iter().step_by(windows.stride[1])) {
                *best = *maximum;
            }
        }
    }
}

/// Adds each window's gradient to its first maximum.
pub(super) fn scatter(windows: &Windows, values: &[f32], grad: &[f32], output: &mut [f32]) {
    let [_, step] = windows.dilation;
    for (row, grad) in grad.chunks_exact(windows.output[1]).enumerate() {
        for (column, &grad) in grad.iter().enumerate() {
            let taps = windows.taps(1, column);
            if taps.is_empty() {
                continue;
            }
            let first = windows.pixel(1, column, taps.start);
            let last = first + (taps.len() - 1) * step;
            let mut best = None;
            for pixels in windows.rows(row) {
                let line = pixels.start + first..=pixels.start + last;
                let (mut value, mut at) = best.unwrap_or((values[*line.start()], *line.start()));
                for (x, &candidate) in values[line.clone()].iter().step_by(step).enumerate() {
                    let wins = (candidate > value) | (candidate.is_nan() & !value.is_nan());
                    value = select_unpredictable(wins, candidate, value);
                    at = select_unpredictable(wins, line.start() + x * step, at);
                }
                best = Some((value, at));
            }
            if let Some((_, at)) = best {
                output[at] += grad;
            }
        }
    }
}
