//! Sums by `vpdpbusd`: 16 outputs of 4 inputs each at once.

#![expect(
    clippy::needless_range_loop,
    reason = "an iterator's closure that is not inlined would keep sums in memory instead of registers"
)]

use std::arch::x86_64::{
    _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_storeu_si512,
};

use super::{
    super::weights::{DEPTH, Step},
    Rows, Runs, Sums,
};

/// Writes the sums of a tile.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn fill(rows: &Rows<'_>, size: [usize; 2], weights: &[Step], sums: &mut [Sums]) {
    sized!(size, tile(rows, weights, sums),
        [1 2] by 8,
        [1 2 3 4 5 6] by 4,
        [1 2 3 4 5 6 7 8 9 10 11 12 13 14] by 2,
        [1 2 3 4 5 6 7 8 9 10 11 12 13 14] by 1
    );
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn tile<const ROWS: usize, const PANELS: usize>(rows: &Rows<'_>, weights: &[Step], sums: &mut [Sums]) {
    let per_panel = rows.check(ROWS, PANELS, weights);
    assert!(sums.len() == ROWS * PANELS, "{} sums", sums.len());
    let Runs { lines: [lines, line], taps: [taps, tap], steps, tail } = rows.runs;
    let tails = rows.tails::<ROWS>();
    let mut totals = [[_mm512_setzero_si512(); PANELS]; ROWS];
    let mut weight = weights.as_ptr();
    let mut at = [0, 0];
    loop {
        let [y, x] = at;
        let (mut input, stride, steps) = if y < lines {
            (rows.bytes.as_ptr().wrapping_add(y * line + x * tap), rows.stride, steps)
        } else {
            (tails.as_ptr().cast(), DEPTH, usize::from(tail > 0))
        };
        for _ in 0..steps {
            let mut weights = [_mm512_setzero_si512(); PANELS];
            for panel in 0..PANELS {
                let weight = weight.wrapping_add(panel * per_panel).cast();
                #[expect(unsafe_code, reason = "a check for each load would take longer than the load")]
                // SAFETY: `check` saw that each panel has a step for each that is taken here.
                unsafe {
                    weights[panel] = _mm512_load_si512(weight);
                }
            }
            unrolled!(ROWS, |row| {
                let bytes = input.wrapping_add(row * stride).cast::<i32>();
                #[expect(unsafe_code, reason = "a check for each load would take longer than the load")]
                // SAFETY: `check` saw that all bytes of all runs are there; tails have one step each.
                let input = _mm512_set1_epi32(unsafe { bytes.read_unaligned() });
                for panel in 0..PANELS {
                    totals[row][panel] = _mm512_dpbusd_epi32(totals[row][panel], input, weights[panel]);
                }
            });
            input = input.wrapping_add(DEPTH);
            weight = weight.wrapping_add(1);
        }
        if y == lines {
            break;
        }
        at = if x + 1 < taps { [y, x + 1] } else { [y + 1, 0] };
    }
    for row in 0..ROWS {
        for panel in 0..PANELS {
            let sums = &mut sums[row * PANELS + panel];
            #[expect(unsafe_code, reason = "the store takes a pointer")]
            // SAFETY: An array of 16 numbers has 64 bytes.
            unsafe {
                _mm512_storeu_si512(sums.0.as_mut_ptr().cast(), totals[row][panel]);
            }
        }
    }
}
