#![expect(unsafe_code, reason = "instructions that not every processor has, and loads and stores by pointer")]

use std::arch::x86_64::{
    __m256, _mm_packus_epi16, _mm_storeu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_castps_si256,
    _mm256_castsi256_si128, _mm256_cvtepi32_ps, _mm256_extracti128_si256, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_packus_epi32,
    _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    _mm256_sub_epi32,
};

use super::{super::weights::LANES, TO_INTEGER, Vectors};

/// Two registers of 256 bits.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Avx2(());

impl Avx2 {
    /// # Safety
    ///
    /// The processor must have AVX2.
    pub(in super::super) unsafe fn new() -> Self {
        Self(())
    }
}

// SAFETY, of all that follows: the processor has AVX2, as the maker of `self` promised; loads and stores are of half an
// array of sixteen values.
impl Vectors for Avx2 {
    type Numbers = [__m256; 2];

    #[inline(always)]
    fn sums(self, a: &[i32; LANES], b: &[i32; LANES]) -> [__m256; 2] {
        let half = |a: &[i32], b: &[i32]| {
            // SAFETY: See above.
            unsafe {
                let (a, b) = (a.as_ptr().cast(), b.as_ptr().cast());
                _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_loadu_si256(a), _mm256_loadu_si256(b)))
            }
        };
        [half(&a[..8], &b[..8]), half(&a[8..], &b[8..])]
    }

    #[inline(always)]
    fn mul(self, [first, second]: [__m256; 2], b: &[f32; LANES]) -> [__m256; 2] {
        // SAFETY: See above.
        unsafe {
            let halves = [_mm256_loadu_ps(b.as_ptr()), _mm256_loadu_ps(b[8..].as_ptr())];
            [_mm256_mul_ps(first, halves[0]), _mm256_mul_ps(second, halves[1])]
        }
    }

    #[inline(always)]
    fn add(self, [first, second]: [__m256; 2], b: &[f32; LANES]) -> [__m256; 2] {
        // SAFETY: See above.
        unsafe {
            let halves = [_mm256_loadu_ps(b.as_ptr()), _mm256_loadu_ps(b[8..].as_ptr())];
            [_mm256_add_ps(first, halves[0]), _mm256_add_ps(second, halves[1])]
        }
    }

    #[inline(always)]
    fn relu(self, [first, second]: [__m256; 2]) -> [__m256; 2] {
        // The second where one is NaN, or both are zeros.
        // SAFETY: See above.
        unsafe {
            let zero = _mm256_setzero_ps();
            [_mm256_max_ps(zero, first), _mm256_max_ps(zero, second)]
        }
    }

    #[inline(always)]
    fn clamp(self, [first, second]: [__m256; 2], low: f32, high: f32) -> [__m256; 2] {
        // The second where one is NaN.
        // SAFETY: See above.
        unsafe {
            let (low, high) = (_mm256_set1_ps(low), _mm256_set1_ps(high));
            [_mm256_min_ps(_mm256_max_ps(first, low), high), _mm256_min_ps(_mm256_max_ps(second, low), high)]
        }
    }

    #[inline(always)]
    fn bytes(self, [first, second]: [__m256; 2], zero: u8) -> [u8; LANES] {
        let mut bytes = [0; LANES];
        // SAFETY: See above.
        unsafe {
            let magic = _mm256_set1_ps(TO_INTEGER);
            let shift = _mm256_set1_epi32(TO_INTEGER.to_bits() as i32 - i32::from(zero));
            let first = _mm256_sub_epi32(_mm256_castps_si256(_mm256_add_ps(first, magic)), shift);
            let second = _mm256_sub_epi32(_mm256_castps_si256(_mm256_add_ps(second, magic)), shift);
            // Packing takes turns by 128 bits: the middle quarters are swapped back.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(first, second));
            let packed =
                _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), packed);
        }
        bytes
    }

    #[inline(always)]
    fn store(self, [first, second]: [__m256; 2]) -> [f32; LANES] {
        let mut values = [0.0; LANES];
        // SAFETY: See above.
        unsafe {
            _mm256_storeu_ps(values.as_mut_ptr(), first);
            _mm256_storeu_ps(values[8..].as_mut_ptr(), second);
        }
        values
    }
}
