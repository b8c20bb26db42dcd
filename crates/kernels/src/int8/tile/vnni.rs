//! Sums by `vpdpbusd`: 16 outputs of 4 inputs each at once.

#![expect(
    clippy::needless_range_loop,
    reason = "an iterator's closure that is not inlined would keep sums in memory instead of registers"
)]

use std::arch::x86_64::{
    _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
};

use super::{super::weights::Step, Rows, Sums};

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
    let mut totals = [[_mm512_setzero_si512(); PANELS]; ROWS];
    rows.each_step::<ROWS>(|input, stride, step| {
        let mut loaded = [_mm512_setzero_si512(); PANELS];
        for panel in 0..PANELS {
            let weights = weights.as_ptr().wrapping_add(panel * per_panel + step).cast();
            #[expect(unsafe_code, reason = "a check for each load would take longer than the load")]
            // SAFETY: `check` saw that each panel has as many steps as there are.
            unsafe {
                loaded[panel] = _mm512_load_si512(weights);
            }
        }
        unrolled!(ROWS, |row| {
            let bytes = input.wrapping_add(row * stride).cast::<i32>();
            #[expect(unsafe_code, reason = "a check for each load would take longer than the load")]
            // SAFETY: `check` saw that all bytes of all rows are there.
            let bytes = unsafe { bytes.read_unaligned() };
            let bytes = _mm512_set1_epi32(bytes);
            for panel in 0..PANELS {
                totals[row][panel] = _mm512_dpbusd_epi32(totals[row][panel], bytes, loaded[panel]);
            }
        });
    });
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
