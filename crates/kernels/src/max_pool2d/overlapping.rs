//! Windows that overlap, have gaps between them or in them, or reach over the border.

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

/// Adds each window's gradient of one plane to its first maximum.
pub(super) struct Scatter<'a> {
    pub(super) windows: Windows,
    pub(super) plane: &'a [f32],
    pub(super) grad: &'a [f32],
    pub(super) output: &'a mut [f32],
}

impl WithSimd for Scatter<'_> {
    type Output = ();

    /// For each place where a window could begin, whole vectors at a time, which tap is the first maximum so far.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { windows, plane, grad, output } = self;
        let ([_, taps], [_, step], width) = (windows.kernel, windows.dilation, windows.padded_width());
        let starts = (width - step * (taps - 1)).next_multiple_of(S::F32_LANES);
        // The last vector of a row may reach into the next one, and the last row's behind it.
        let mut padded = vec![f32::NEG_INFINITY; windows.image[0] * width + S::F32_LANES];
        for (line, pixels) in padded.chunks_exact_mut(width).zip(plane.chunks_exact(windows.image[1])) {
            line[windows.padding[1]..][..pixels.len()].copy_from_slice(pixels);
        }
        let (mut best, mut first) = (vec![0.0; starts], vec![0.0; starts]);
        for (row, grad) in grad.chunks_exact(windows.output[1]).enumerate() {
            best.fill(f32::NEG_INFINITY);
            first.fill(NONE);
            for y in windows.taps(0, row) {
                let line = &padded[windows.pixel(0, row, y) * width..];
                for x in 0..taps {
                    let tap = simd.splat_f32s((y * taps + x) as f32);
                    let values = S::as_simd_f32s(&line[x * step..][..starts]).0;
                    let best = S::as_mut_simd_f32s(&mut best).0;
                    let first = S::as_mut_simd_f32s(&mut first).0;
                    for ((best, first), &value) in best.iter_mut().zip(first).zip(values) {
                        // Not at most the best: larger, or NaN, unless the best is NaN already.
                        let loses = simd.less_than_or_equal_f32s(value, *best);
                        let open = simd.equal_f32s(*best, *best);
                        *first = simd.select_f32s(open, simd.select_f32s(loses, *first, tap), *first);
                        *best = simd.select_f32s(open, simd.select_f32s(loses, *best, value), *best);
                    }
                }
            }
            for (column, grad) in grad.iter().enumerate() {
                let found = first[column * windows.stride[1]];
                let tap = if found == NONE {
                    // Nothing but −∞: the first pixel, if there is one.
                    let (y, x) = (windows.taps(0, row), windows.taps(1, column));
                    if y.is_empty() || x.is_empty() {
                        continue;
                    }
                    [y.start, x.start]
                } else {
                    [found as usize / taps, found as usize % taps]
                };
                let pixel =
                    windows.pixel(0, row, tap[0]) * windows.image[1] + windows.pixel(1, column, tap[1]);
                output[pixel] += grad;
            }
        }
    }
}

/// No tap: those that exist have numbers from zero on.
const NONE: f32 = -1.0;
