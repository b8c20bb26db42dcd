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

use super::{super::weights::Step, Rows, Sums};

/// Writes the sums of a tile.
#[target_feature(enable = "avx2")]
pub(super) fn fill(rows: &Rows<'_>, size: [usize; 2], weights: &[Step], sums: &mut [Sums]) {
    sized!(size, tile(rows, weights, sums), [1] by 4, [1 2] by 2, [1 2 3 4] by 1);
}

#[target_feature(enable = "avx2")]
fn tile<const ROWS: usize, const PANELS: usize>(rows: &Rows<'_>, weights: &[Step], sums: &mut [Sums]) {
    let per_panel = rows.check(ROWS, PANELS, weights);
    assert!(sums.len() == ROWS * PANELS, "{} sums", sums.len());
    let low_bytes = _mm256_set1_epi16(0xff);
    let mut totals = [[[_mm256_setzero_si256(); 2]; PANELS]; ROWS];
    rows.each_step::<ROWS>(|input, stride, step| {
        for panel in 0..PANELS {
            let weights = weights.as_ptr().wrapping_add(panel * per_panel + step).cast::<__m256i>();
            // In each lane the even bytes, then the odd ones.
            let mut loaded = [[_mm256_setzero_si256(); 2]; 2];
            for half in 0..2 {
                #[expect(unsafe_code, reason = "a check for each load would take longer than the load")]
                // SAFETY: `check` saw that each panel has as many steps as there are.
                let bytes = unsafe { _mm256_load_si256(weights.wrapping_add(half)) };
                let even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(bytes));
                loaded[half] = [even, _mm256_srai_epi16::<8>(bytes)];
            }
            unrolled!(ROWS, |row| {
                let bytes = input.wrapping_add(row * stride).cast::<i32>();
                #[expect(unsafe_code, reason = "a check for each load would take longer than the load")]
                // SAFETY: `check` saw that all bytes of all rows are there.
                let bytes = unsafe { bytes.read_unaligned() };
                let bytes = _mm256_set1_epi32(bytes);
                let (even, odd) = (_mm256_and_si256(bytes, low_bytes), _mm256_srli_epi16::<8>(bytes));
                for half in 0..2 {
                    let even = _mm256_madd_epi16(even, loaded[half][0]);
                    let odd = _mm256_madd_epi16(odd, loaded[half][1]);
                    let total = &mut totals[row][panel][half];
                    *total = _mm256_add_epi32(*total, _mm256_add_epi32(even, odd));
                }
            });
        }
    });
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
