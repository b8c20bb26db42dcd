//! Numbers to bytes and back.

use super::{
    Path,
    path::Loops,
    vectors::{Vectors, clamp, low_byte},
};

/// `target[i] = clamp(round_ties_even(source[i] / scale) + zero, 0, 255)`, ONNX's `QuantizeLinear`. NaN becomes `zero`.
///
/// # Panics
///
/// Where the slices differ in length, or the processor lacks the path.
pub fn quantize(path: Path, target: &mut [u8], source: &[f32], scale: f32, zero: u8) {
    let (targets, sources) = (target.len(), source.len());
    assert!(targets == sources, "quantize: {sources} numbers to {targets} bytes");
    path.check().run(Quantize { target, source, scale, zero });
}

/// `target[i] = (source[i] - zero) as f32 * scale`, ONNX's `DequantizeLinear`.
///
/// # Panics
///
/// Where the slices differ in length, or the processor lacks the path.
pub fn dequantize(path: Path, target: &mut [f32], source: &[u8], scale: f32, zero: u8) {
    let (targets, sources) = (target.len(), source.len());
    assert!(targets == sources, "dequantize: {sources} bytes to {targets} numbers");
    path.check().run(Dequantize { target, source, scale, zero });
}

/// The smallest and the largest number, NaN aside: infinity and minus infinity where there is none.
///
/// # Panics
///
/// Where the processor lacks the path.
#[must_use]
pub fn range(path: Path, source: &[f32]) -> (f32, f32) {
    path.check().run(Range { source })
}

struct Quantize<'a> {
    target: &'a mut [u8],
    source: &'a [f32],
    scale: f32,
    zero: u8,
}

impl Loops for Quantize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vectors>(self, _: V) {
        let Self { target, source, scale, zero } = self;
        let (low, high) = (-f32::from(zero), f32::from(255 - zero));
        let target = &mut target[..source.len()];
        for i in 0..source.len() {
            let value = source[i] / scale;
            let value = if value.is_nan() { 0.0 } else { value };
            target[i] = low_byte(clamp(value, low, high)).wrapping_add(zero);
        }
    }
}

struct Dequantize<'a> {
    target: &'a mut [f32],
    source: &'a [u8],
    scale: f32,
    zero: u8,
}

impl Loops for Dequantize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vectors>(self, _: V) {
        let Self { target, source, scale, zero } = self;
        let target = &mut target[..source.len()];
        for i in 0..source.len() {
            target[i] = (i32::from(source[i]) - i32::from(zero)) as f32 * scale;
        }
    }
}

struct Range<'a> {
    source: &'a [f32],
}

/// Ranges kept side by side: as many on all paths, so that all find a zero of the same sign.
const BLOCK: usize = 64;

impl Loops for Range<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn run<V: Vectors>(self, _: V) -> (f32, f32) {
        let (mut least, mut most) = ([f32::INFINITY; BLOCK], [f32::NEG_INFINITY; BLOCK]);
        let (blocks, rest) = self.source.as_chunks::<BLOCK>();
        for block in blocks {
            for i in 0..BLOCK {
                least[i] = smaller(block[i], least[i]);
                most[i] = larger(block[i], most[i]);
            }
        }
        for i in 0..rest.len() {
            least[i] = smaller(rest[i], least[i]);
            most[i] = larger(rest[i], most[i]);
        }
        for i in 1..BLOCK {
            least[0] = smaller(least[i], least[0]);
            most[0] = larger(most[i], most[0]);
        }
        (least[0], most[0])
    }
}

/// The smaller of two numbers, `best` where `value` is NaN.
#[inline(always)]
fn smaller(value: f32, best: f32) -> f32 {
    if value < best { value } else { best }
}

/// The larger of two numbers, `best` where `value` is NaN.
#[inline(always)]
fn larger(value: f32, best: f32) -> f32 {
    if value > best { value } else { best }
}
