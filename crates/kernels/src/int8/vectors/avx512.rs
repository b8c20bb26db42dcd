#![expect(unsafe_code, reason = "instructions that not every processor has, and loads and stores by pointer")]

use std::arch::x86_64::{
    __m512, _mm_storeu_si128, _mm512_add_epi32, _mm512_add_ps, _mm512_castps_si512, _mm512_cvtepi32_epi8,
    _mm512_cvtepi32_ps, _mm512_loadu_epi32, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::{super::weights::LANES, TO_INTEGER, Vectors};

/// One register of 512 bits.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Avx512(());

impl Avx512 {
    /// # Safety
    ///
    /// The processor must have AVX-512 F, BW, DQ and VL.
    pub(in super::super) unsafe fn new() -> Self {
        Self(())
    }
}

// SAFETY, of all that follows: the processor has AVX-512, as the maker of `self` promised; loads and stores are of
// arrays of sixteen values.
impl Vectors for Avx512 {
    type Numbers = __m512;

    #[inline(always)]
    fn sums(self, a: &[i32; LANES], b: &[i32; LANES]) -> __m512 {
        // SAFETY: See above.
        unsafe {
            let (a, b) = (_mm512_loadu_epi32(a.as_ptr()), _mm512_loadu_epi32(b.as_ptr()));
            _mm512_cvtepi32_ps(_mm512_add_epi32(a, b))
        }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: &[f32; LANES]) -> __m512 {
        // SAFETY: See above.
        unsafe { _mm512_mul_ps(a, _mm512_loadu_ps(b.as_ptr())) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: &[f32; LANES]) -> __m512 {
        // SAFETY: See above.
        unsafe { _mm512_add_ps(a, _mm512_loadu_ps(b.as_ptr())) }
    }

    #[inline(always)]
    fn relu(self, a: __m512) -> __m512 {
        // The second where one is NaN, or both are zeros.
        // SAFETY: See above.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), a) }
    }

    #[inline(always)]
    fn clamp(self, a: __m512, low: f32, high: f32) -> __m512 {
        // The second where one is NaN.
        // SAFETY: See above.
        unsafe { _mm512_min_ps(_mm512_max_ps(a, _mm512_set1_ps(low)), _mm512_set1_ps(high)) }
    }

    #[inline(always)]
    fn bytes(self, a: __m512, zero: u8) -> [u8; LANES] {
        let mut bytes = [0; LANES];
        // SAFETY: See above.
        unsafe {
            let rounded = _mm512_castps_si512(_mm512_add_ps(a, _mm512_set1_ps(TO_INTEGER)));
            let shifted = _mm512_add_epi32(rounded, _mm512_set1_epi32(i32::from(zero)));
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(shifted));
        }
        bytes
    }

    #[inline(always)]
    fn store(self, a: __m512) -> [f32; LANES] {
        let mut values = [0.0; LANES];
        // SAFETY: See above.
        unsafe {
            _mm512_storeu_ps(values.as_mut_ptr(), a);
        }
        values
    }
}
