//! Sums by `vpmaddwd`: 8 outputs of 2 inputs each at once, of numbers widened to 16 bits. `vpmaddubsw`, which takes bytes,
//! would saturate.

#![expect(
    clippy::needless_range_loop,
    reason = "an iterator's closure that is not inlined would keep sums in memory instead of registers"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_load_si256, _mm256_madd_epi16, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_setzero_si256, _mm256_slli_epi16, _mm256_srai_epi16, _mm256_srli_epi16,
    _mm256_storeu_si256,
};

use super::{
    super::weights::{DEPTH, Step},
    Rows, Runs, Sums,
};

/// Writes the sums of a tile.
#[target_feature(enable = "avx2")]
pub(super) fn fill(rows: &Rows<'_>, size: [usize; 2], weights: &[Step], sums: &mut [Sums]) {
    sized!(size, tile(rows, weights, sums), [1] by 4, [1 2] by 2, [1 2 3 4] by 1);
}

#[target_feature(enable = "avx2")]
fn tile<const ROWS: usize, const PANELS: usize>(rows: &Rows<'_>, weights: &[Step], sums: &mut [Sums]) {
    let per_panel = rows.check(ROWS, PANELS, weights);
    assert!(sums.len() == ROWS * PANELS, "{} sums", sums.len());
    let Runs { lines: [lines, line], taps: [taps, tap], steps, tail } = rows.runs;
    let tails = rows.tails::<ROWS>();
    let mut totals = [[[_mm256_setzero_si256(); 2]; PANELS]; ROWS];
    let mut weight = weights.as_ptr();
    for y in 0..lines {
        for x in 0..taps {
            let start = y * line + x * tap;
            let mut input = rows.bytes.as_ptr().wrapping_add(start);
            for _ in 0..steps {
                #[expect(unsafe_code, reason = "a check for each load would take longer than the load")]
                // SAFETY: `check` saw that the bytes of all runs of all rows are there, and the weights of all panels.
                unsafe {
                    add(&mut totals, input, rows.stride, weight, per_panel);
                }
                input = input.wrapping_add(DEPTH);
                weight = weight.wrapping_add(1);
            }
        }
    }
    if tail > 0 {
        #[expect(unsafe_code, reason = "pointers, as above")]
        // SAFETY: Each row has a tail of one step, and `check` saw that each panel has weights for it.
        unsafe {
            add(&mut totals, tails.as_ptr().cast(), DEPTH, weight, per_panel);
        }
    }
    for row in 0..ROWS {
        for panel in 0..PANELS {
            let (halves, _) = sums[row * PANELS + panel].0.as_chunks_mut::<8>();
            for half in 0..2 {
                #[expect(unsafe_code, reason = "the store takes a pointer")]
                // SAFETY: An array of 8 numbers has 32 bytes.
                unsafe {
                    _mm256_storeu_si256(halves[half].as_mut_ptr().cast(), totals[row][panel][half]);
                }
            }
        }
    }
}

/// Adds the products of one step: in each lane those of its even bytes, then those of its odd ones.
///
/// # Safety
///
/// At `input` there must be a step's bytes of each row, `stride` bytes apart, and at `weight` the weights of each panel,
/// `per_panel` steps apart.
#[inline]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "a check for each load would take longer than the load")]
unsafe fn add<const ROWS: usize, const PANELS: usize>(
    totals: &mut [[[__m256i; 2]; PANELS]; ROWS],
    input: *const u8,
    stride: usize,
    weight: *const Step,
    per_panel: usize,
) {
    let low_bytes = _mm256_set1_epi16(0xff);
    for panel in 0..PANELS {
        let step = weight.wrapping_add(panel * per_panel).cast::<__m256i>();
        let mut weights = [[_mm256_setzero_si256(); 2]; 2];
        for half in 0..2 {
            // SAFETY: The caller's promise.
            let bytes = unsafe { _mm256_load_si256(step.wrapping_add(half)) };
            weights[half] =
                [_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(bytes)), _mm256_srai_epi16::<8>(bytes)];
        }
        for row in 0..ROWS {
            let bytes = input.wrapping_add(row * stride).cast::<i32>();
            // SAFETY: The caller's promise.
            let bytes = _mm256_set1_epi32(unsafe { bytes.read_unaligned() });
            let (even, odd) = (_mm256_and_si256(bytes, low_bytes), _mm256_srli_epi16::<8>(bytes));
            for half in 0..2 {
                let even = _mm256_madd_epi16(even, weights[half][0]);
                let odd = _mm256_madd_epi16(odd, weights[half][1]);
                let total = &mut totals[row][panel][half];
                *total = _mm256_add_epi32(*total, _mm256_add_epi32(even, odd));
            }
        }
    }
}
