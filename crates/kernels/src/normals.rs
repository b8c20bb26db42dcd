//! Normal numbers from random bits.

#![expect(
    clippy::needless_range_loop,
    reason = "an iterator's closure that is not inlined would be compiled for the plainest processor"
)]

use pulp::{Simd, WithSimd};

use crate::simd;

/// The most normal numbers that [`normals`] makes at a time.
pub const NORMALS: usize = 1 << 12;

/// Words beyond those of the numbers themselves, for the few that need more bits: of as many as there can be at a time, on
/// average half a one does.
const SPARE: usize = 64;

/// Fills `target` with independent standard normal numbers made of random words, which `draw` fills a slice with.
///
/// A 32-bit word makes a number whose distribution is right to 2⁻⁵⁵ in its tails, up to 8.8 deviations.
///
/// # Panics
///
/// Where there are more than [`NORMALS`].
pub fn normals(target: &mut [f32], draw: impl FnOnce(&mut [u32])) {
    assert!(target.len() <= NORMALS, "{} normal numbers at a time", target.len());
    // Words are for pairs.
    let even = target.len().next_multiple_of(2);
    let mut bits = [0; NORMALS + SPARE];
    let bits = &mut bits[..even + SPARE];
    draw(bits);
    if even == target.len() {
        return fill(target, bits);
    }
    let mut padded = [0.0; NORMALS];
    fill(&mut padded[..even], bits);
    target.copy_from_slice(&padded[..target.len()]);
}

/// Fills a slice of an even length with independent standard normal numbers made of random bits: one for each word, of
/// which a pair makes a pair (Box and Muller 1958). Words that are left over go to the few pairs (one in 4,096) that 23
/// bits are too coarse for: those near zero, and those in the tails beyond 4, which go on to 8.8. Where too few are left
/// over, such pairs stay coarse.
fn fill(normals: &mut [f32], words: &[u32]) {
    let (bits, more) = words.split_at(normals.len());
    assert!(bits.len().is_multiple_of(2), "normals come in pairs");
    simd::dispatch(Pairs { bits, normals: &mut *normals });
    refine(bits, more, normals);
}

/// Values of 23 bits at both ends of their range that are refined.
const COARSE: u32 = 1 << 10;
/// As many values as 23 bits have.
const VALUES: u32 = 1 << 23;

/// Words that are looked at together.
const BLOCK: usize = 64;

/// The places of coarse values in the block at `start`, of which there are nearly never any.
fn coarse(radii: &[u32], start: usize) -> impl Iterator<Item = usize> {
    let block = &radii[start..radii.len().min(start + BLOCK)];
    let is_coarse = |bits: u32| (bits >> 9).wrapping_sub(COARSE) >= VALUES - 2 * COARSE;
    // Without an early end, so that the compiler can take many at once.
    let any = block.iter().fold(false, |any, bits| any | is_coarse(*bits));
    let places = if any { 0..block.len() } else { 0..0 };
    places.filter(move |i| is_coarse(block[*i])).map(move |i| start + i)
}

/// Makes the pairs whose radius has too few digits anew, of 32 bits more and in float64.
fn refine(bits: &[u32], more: &[u32], normals: &mut [f32]) {
    let (radii, angles) = bits.split_at(bits.len() / 2);
    let (first, second) = normals.split_at_mut(bits.len() / 2);
    let places = (0..radii.len()).step_by(BLOCK).flat_map(|start| coarse(radii, start));
    for (i, more) in places.zip(more) {
        let value = radii[i] >> 9;
        let rest = (f64::from(*more) + 0.5) / 2f64.powi(32);
        // Near 1 it is the distance from there that has digits.
        let left = (f64::from(VALUES - value) - rest) / f64::from(VALUES);
        let log =
            if left < 0.5 { (-left).ln_1p() } else { ((f64::from(value) + rest) / f64::from(VALUES)).ln() };
        let angle = std::f64::consts::TAU * (f64::from(angles[i] >> 9) + 0.5) / f64::from(VALUES);
        let radius = (-2.0 * log).sqrt();
        (first[i], second[i]) = ((radius * angle.cos()) as f32, (radius * angle.sin()) as f32);
    }
}

struct Pairs<'a> {
    bits: &'a [u32],
    normals: &'a mut [f32],
}

impl WithSimd for Pairs<'_> {
    type Output = ();

    // Loops of plain arithmetic, which the compiler turns into vectors of the width that `S` has.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let half = self.bits.len() / 2;
        let (radii, angles) = self.bits.split_at(half);
        let (first, second) = self.normals.split_at_mut(half);
        let (angles, second) = (&angles[..half], &mut second[..half]);
        for i in 0..half {
            let radius = (-2.0 * ln(unit(radii[i]))).sqrt();
            let [sin, cos] = sin_cos_of_turn(unit(angles[i]));
            first[i] = radius * cos;
            second[i] = radius * sin;
        }
    }
}

/// The middle of the interval of 0 to 1 that the upper 23 bits choose.
#[inline(always)]
fn unit(bits: u32) -> f32 {
    // Between 1 and 2, where floats lie 2⁻²³ apart; then half of that is added.
    f32::from_bits(bits >> 9 | 0x3f80_0000) - (1.0 - 0.5 / VALUES as f32)
}

/// The logarithm of a number between 0 and 1 (Cephes, `logf.c`).
#[inline(always)]
fn ln(x: f32) -> f32 {
    const ROOT_OF_HALF: u32 = 0x3f35_04f3;
    let offset = x.to_bits().wrapping_sub(ROOT_OF_HALF);
    let exponent = (offset as i32 >> 23) as f32;
    let m = f32::from_bits((offset & 0x007f_ffff) + ROOT_OF_HALF) - 1.0;
    let tail = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    let mut sum = tail[0];
    for i in 1..tail.len() {
        sum = sum * m + tail[i];
    }
    let square = m * m;
    let small = square * m * sum + exponent * -2.121_944_4e-4 - 0.5 * square;
    m + small + exponent * 0.693_359_4
}

/// Sine and cosine of `turn` times 2π, 0 to 1 (Cephes, `sinf.c`).
#[inline(always)]
fn sin_cos_of_turn(turn: f32) -> [f32; 2] {
    /// 1.5 · 2²³: adding it leaves the nearest integer in the low bits.
    const TO_INTEGER: f32 = 12_582_912.0;
    let shifted = 4.0 * turn + TO_INTEGER;
    let quarter = shifted.to_bits();
    let x = (4.0 * turn - (shifted - TO_INTEGER)) * std::f32::consts::FRAC_PI_2;
    let z = x * x;
    let sin = ((-1.951_529_6e-4 * z + 8.332_161e-3) * z - 1.666_665_5e-1) * z * x + x;
    let cos = ((2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2) * z * z - 0.5 * z + 1.0;
    let odd = quarter & 1 == 1;
    let [a, b] = [if odd { cos } else { sin }, if odd { sin } else { cos }];
    // The second bit of a quarter is the sign of its sine, that of the next one of its cosine.
    let signed = |value: f32, quarter: u32| f32::from_bits(value.to_bits() ^ (quarter & 2) << 30);
    [signed(a, quarter), signed(b, quarter + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Well-mixed words (splitmix64).
    fn words(seed: u64) -> impl FnMut() -> u32 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 32) as u32
        }
    }

    fn drawn(count: usize) -> Vec<f32> {
        let (mut next, mut values) = (words(1), vec![0.0; count]);
        let bits: Vec<u32> = (0..2 * count).map(|_| next()).collect();
        fill(&mut values, &bits);
        values
    }

    #[test]
    fn pairs_are_those_of_the_formula() {
        let mut next = words(3);
        let bits: Vec<u32> = (0..100_000).map(|_| next()).collect();
        let mut values = vec![0.0; bits.len()];
        fill(&mut values, &bits);
        let half = bits.len() / 2;
        for i in 0..half {
            let unit = |bits: u32| (f64::from(bits >> 9) + 0.5) / f64::from(VALUES);
            let radius = (-2.0 * unit(bits[i]).ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * unit(bits[half + i])).sin_cos();
            for (value, exact) in [(values[i], radius * cos), (values[half + i], radius * sin)] {
                assert!((f64::from(value) - exact).abs() < 2e-6, "{i}: {value} {exact}");
            }
        }
    }

    #[test]
    fn an_odd_number_of_them_is_the_first_of_one_more() {
        let drawn = |count: usize| {
            let (mut next, mut values) = (words(5), vec![0.0; count]);
            normals(&mut values, |words| words.iter_mut().for_each(|word| *word = next()));
            values
        };
        for count in [0, 1, 33, NORMALS - 1, NORMALS] {
            let even = count.next_multiple_of(2);
            assert_eq!(drawn(count), drawn(even)[..count]);
        }
    }

    #[test]
    fn moments_and_tails_are_those_of_a_normal_distribution() {
        let count = 1 << 22;
        let values = drawn(count);
        let moment = |k: i32| values.iter().map(|x| f64::from(*x).powi(k)).sum::<f64>() / count as f64;
        // Six standard errors: those of the moments are √(E x²ᵏ − (E xᵏ)²) / √n.
        for (k, exact, deviation) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0f64.sqrt()), (3, 0.0, 15.0f64.sqrt()), (4, 3.0, 96.0f64.sqrt())]
        {
            let error = (moment(k) - exact).abs() / deviation * (count as f64).sqrt();
            assert!(error < 6.0, "moment {k}: {error} standard errors");
        }
        // P(|x| > 4) = 6.334e-5: 265.7 of them.
        let far = values.iter().filter(|x| x.abs() > 4.0).count() as f64;
        assert!((far - 265.7).abs() < 6.0 * 265.7f64.sqrt(), "{far}");
        // P(|x| < 1e-3) = 7.979e-4.
        let near = values.iter().filter(|x| x.abs() < 1e-3).count() as f64;
        assert!((near - 3346.6).abs() < 6.0 * 3346.6f64.sqrt(), "{near}");
    }

    #[test]
    fn the_two_of_a_pair_are_independent() {
        let values = drawn(1 << 20);
        let (first, second) = values.split_at(values.len() / 2);
        let mean = |f: &dyn Fn(f64, f64) -> f64| {
            let products = first.iter().zip(second).map(|(a, b)| f(f64::from(*a), f64::from(*b)));
            products.sum::<f64>() / first.len() as f64
        };
        let error = 1.0 / (first.len() as f64).sqrt();
        assert!(mean(&|a, b| a * b).abs() < 6.0 * error);
        assert!((mean(&|a, b| a * a * b * b) - 1.0).abs() < 6.0 * 8f64.sqrt() * error);
    }

    #[test]
    fn the_ends_of_the_bits_are_refined() {
        let mut values = [0.0; 2];
        fill(&mut values, &[0, 0, 0]);
        let exact = (-2.0 * (0.5 / 2f64.powi(55)).ln()).sqrt();
        assert!((f64::from(values[0]) - exact).abs() < 1e-5, "{values:?} {exact}");
        fill(&mut values, &[u32::MAX, 0, u32::MAX]);
        assert!(values[0] > 0.0 && values[0] < 1e-6, "{values:?}");
    }
}
