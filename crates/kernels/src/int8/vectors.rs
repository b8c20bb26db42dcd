//! Sixteen numbers at once, for what the compiler makes no good vectors of by itself: the end of a product.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(target_arch = "x86_64")]
pub(super) use {avx2::Avx2, avx512::Avx512};

use super::weights::LANES;

/// 1.5 · 2²³: the sum with a number between −2²² and 2²² holds the nearest integer, even where two are as near, in its low
/// bits.
const TO_INTEGER: f32 = 12_582_912.0;

/// The low byte of the nearest integer to a number between −255 and 255, even where two are as near.
#[inline(always)]
pub(super) fn low_byte(value: f32) -> u8 {
    (value + TO_INTEGER).to_bits() as u8
}

/// `value` between two bounds, `low` for NaN.
#[inline(always)]
pub(super) fn clamp(value: f32, low: f32, high: f32) -> f32 {
    // Not `f32::clamp`, which lets NaN through: these are one instruction each.
    let value = if value > low { value } else { low };
    if value < high { value } else { high }
}

/// The registers of a path. Holding a value is the proof that the processor has them.
pub trait Vectors: Copy {
    /// Sixteen numbers.
    type Numbers: Copy;

    /// `(a + b) as f32`, the sum wrapping.
    fn sums(self, a: &[i32; LANES], b: &[i32; LANES]) -> Self::Numbers;
    fn mul(self, a: Self::Numbers, b: &[f32; LANES]) -> Self::Numbers;
    fn add(self, a: Self::Numbers, b: &[f32; LANES]) -> Self::Numbers;
    /// Zero in the place of what is less.
    fn relu(self, a: Self::Numbers) -> Self::Numbers;
    /// The numbers between two bounds, `low` for NaN.
    fn clamp(self, a: Self::Numbers, low: f32, high: f32) -> Self::Numbers;
    /// The nearest integers, even where two are as near, plus `zero`: of numbers for which that is a byte.
    fn bytes(self, a: Self::Numbers, zero: u8) -> [u8; LANES];
    fn store(self, a: Self::Numbers) -> [f32; LANES];
}

/// Plain loops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain;

impl Vectors for Plain {
    type Numbers = [f32; LANES];

    #[inline(always)]
    fn sums(self, a: &[i32; LANES], b: &[i32; LANES]) -> [f32; LANES] {
        std::array::from_fn(|i| a[i].wrapping_add(b[i]) as f32)
    }

    #[inline(always)]
    fn mul(self, a: [f32; LANES], b: &[f32; LANES]) -> [f32; LANES] {
        std::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn add(self, a: [f32; LANES], b: &[f32; LANES]) -> [f32; LANES] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn relu(self, a: [f32; LANES]) -> [f32; LANES] {
        a.map(|value| if value < 0.0 { 0.0 } else { value })
    }

    #[inline(always)]
    fn clamp(self, a: [f32; LANES], low: f32, high: f32) -> [f32; LANES] {
        a.map(|value| clamp(value, low, high))
    }

    #[inline(always)]
    fn bytes(self, a: [f32; LANES], zero: u8) -> [u8; LANES] {
        // The zero point after rounding: an odd one would change which of two integers is even.
        a.map(|value| low_byte(value).wrapping_add(zero))
    }

    #[inline(always)]
    fn store(self, a: [f32; LANES]) -> [f32; LANES] {
        a
    }
}
