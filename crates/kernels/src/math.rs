//! Elementary functions over vectors. Errors are in units in the last place (ulp) of float32 against float64, measured
//! by the tests over every interval that float32 distinguishes coarsely.

use pulp::Simd;

/// `a · b + c`, rounded once where the processor can.
#[inline(always)]
fn fma<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(a, b, c)
}

/// `c₀ + c₁x + …` by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: [f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[N - 1]);
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = fma(simd, sum, x, simd.splat_f32s(coefficient));
    }
    sum
}

/// `value`, but `x` itself where `x` is NaN.
#[inline(always)]
fn keep_nan<S: Simd>(simd: S, x: S::f32s, value: S::f32s) -> S::f32s {
    simd.select_f32s(simd.equal_f32s(x, x), value, x)
}

/// 1.5 · 2²³: adding it leaves the nearest integer in the low bits of a float of moderate size.
const TO_INTEGER: f32 = 12_582_912.0;

/// `2^k` from `k + TO_INTEGER`, for `k` in −126 … 127.
#[inline(always)]
fn power_of_two<S: Simd>(simd: S, k: S::f32s) -> S::f32s {
    let shifted = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(k), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(shifted, simd.splat_u32s(127 << 23)))
}

/// `eˣ`, subnormal results and infinity included.
///
/// `x = k ln 2 + r` with |r| ≤ ln 2 / 2, a polynomial for `eʳ` (Cephes, `expf.c`), and two factors for `2ᵏ`.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |value| simd.splat_f32s(value);
    let clamped = simd.min_f32s(simd.max_f32s(x, splat(-104.0)), splat(89.0));
    let magic = splat(TO_INTEGER);
    let k = simd.sub_f32s(fma(simd, clamped, splat(std::f32::consts::LOG2_E), magic), magic);
    let r = fma(simd, k, splat(-0.693_359_4), clamped);
    let r = fma(simd, k, splat(2.121_944_4e-4), r);
    let tail = [0.5, 1.666_666_5e-1, 4.166_579_6e-2, 8.333_452e-3, 1.398_2e-3, 1.987_569_1e-4];
    let tail = polynomial(simd, r, tail);
    let result = simd.add_f32s(fma(simd, simd.mul_f32s(r, r), tail, r), splat(1.0));
    let half = fma(simd, k, splat(0.5), magic);
    let rest = simd.add_f32s(simd.sub_f32s(k, simd.sub_f32s(half, magic)), magic);
    let result = simd.mul_f32s(simd.mul_f32s(result, power_of_two(simd, half)), power_of_two(simd, rest));
    keep_nan(simd, x, result)
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

/// Hyperbolic tangent: an odd polynomial near zero (Cephes, `tanhf.c`), `1 − 2 / (e²ˣ + 1)` elsewhere.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |value| simd.splat_f32s(value);
    let size = simd.abs_f32s(x);
    let square = simd.mul_f32s(x, x);
    let small = [-0.333_332_83, 1.333_144_2e-1, -5.373_971_6e-2, 0.020_639_09, -5.704_988_7e-3];
    let small = polynomial(simd, square, small);
    let small = fma(simd, simd.mul_f32s(small, square), x, x);
    let large = simd.add_f32s(exp(simd, simd.add_f32s(size, size)), splat(1.0));
    let large = simd.sub_f32s(splat(1.0), simd.div_f32s(splat(2.0), large));
    let large = simd.select_f32s(simd.less_than_f32s(x, splat(0.0)), simd.neg_f32s(large), large);
    let result = simd.select_f32s(simd.less_than_f32s(size, splat(0.625)), small, large);
    keep_nan(simd, x, result)
}

/// The normal distribution at `x`: its cumulative probability `Φ(x)` and its density `φ(x)`.
///
/// `Φ(−a) = e^(−a²/2) g(a)`, `g` a polynomial in `t = 1 / (1 + 0.3a)` fitted for least relative error (3.5e-9) over
/// `0 ≤ a ≤ 14.5`, so that the lower tail keeps its digits, as `(1 + erf)/2` does not.
#[inline(always)]
pub(crate) fn normal<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let splat = |value| simd.splat_f32s(value);
    let size = simd.min_f32s(simd.abs_f32s(x), splat(15.0));
    let square = simd.mul_f32s(size, size);
    // What rounding the square lost; beyond e⁻¹⁰ it would cost digits.
    let lost = fma(simd, size, size, simd.neg_f32s(square));
    let bell = exp(simd, simd.mul_f32s(square, splat(-0.5)));
    let bell = fma(simd, simd.mul_f32s(lost, splat(-0.5)), bell, bell);
    let t = simd.div_f32s(splat(1.0), fma(simd, size, splat(0.3), splat(1.0)));
    let tail = simd.mul_f32s(simd.mul_f32s(polynomial(simd, t, TAIL), t), bell);
    let upper = simd.sub_f32s(splat(1.0), tail);
    let below = simd.select_f32s(simd.less_than_f32s(x, splat(0.0)), tail, upper);
    let density = simd.mul_f32s(bell, splat(0.398_942_3));
    (keep_nan(simd, x, below), keep_nan(simd, x, density))
}

/// Coefficients of `g(a) / t` in [`normal`].
const TAIL: [f32; 10] = [
    0.119_686_69,
    0.119_571_81,
    0.110_235_42,
    0.078_389_66,
    0.096_156_806,
    -0.079_423_45,
    0.191_784_49,
    -0.228_213_56,
    0.112_435_594,
    -0.020_623_466,
];

#[cfg(test)]
mod tests {
    use pulp::{Scalar, Simd, WithSimd};

    use crate::simd::dispatch;

    /// One of the functions above, by name, over a slice.
    struct Run<'a>(&'a str, &'a [f32]);

    impl WithSimd for Run<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
            let mut output = self.1.to_vec();
            for (x, y) in self.1.chunks(S::F32_LANES).zip(output.chunks_mut(S::F32_LANES)) {
                let x = simd.partial_load_f32s(x);
                let value = match self.0 {
                    "exp" => super::exp(simd, x),
                    "sigmoid" => super::sigmoid(simd, x),
                    "tanh" => super::tanh(simd, x),
                    "cumulative" => super::normal(simd, x).0,
                    _ => super::normal(simd, x).1,
                };
                simd.partial_store_f32s(y, value);
            }
            output
        }
    }

    /// `erfc` in float64: its series near zero, its continued fraction elsewhere (Abramowitz and Stegun 7.1.5, 7.1.14).
    fn erfc(x: f64) -> f64 {
        if x < 0.0 {
            return 2.0 - erfc(-x);
        }
        if x < 2.0 {
            let terms = (0..80).scan(x, |term, n| {
                let value = *term / (2 * n + 1) as f64;
                *term *= -x * x / (n + 1) as f64;
                Some(value)
            });
            return 1.0 - 2.0 / std::f64::consts::PI.sqrt() * terms.sum::<f64>();
        }
        let fraction = (1..200).rev().fold(x, |rest, n| x + n as f64 / 2.0 / rest);
        (-x * x).exp() / (fraction * std::f64::consts::PI.sqrt())
    }

    fn exact(name: &str, x: f64) -> f64 {
        match name {
            "exp" => x.exp(),
            "sigmoid" => 1.0 / (1.0 + (-x).exp()),
            "tanh" => x.tanh(),
            "cumulative" => erfc(-x / 2f64.sqrt()) / 2.0,
            _ => (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt(),
        }
    }

    /// The largest error over `steps` points of the range, in units in the last place of float32.
    fn largest_error(name: &str, low: f32, high: f32) -> f64 {
        let steps = 400_000;
        let xs: Vec<f32> = (0..=steps).map(|i| low + (high - low) * i as f32 / steps as f32).collect();
        let values = dispatch(Run(name, &xs));
        let error = |(x, value): (&f32, f32)| {
            let exact = exact(name, f64::from(*x));
            let size = (exact.abs() as f32).max(f32::MIN_POSITIVE);
            (f64::from(value) - exact).abs() / f64::from(size.next_up() - size)
        };
        xs.iter().zip(values).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn errors_in_units_in_the_last_place() {
        for (name, low, high, limit) in [
            ("exp", -87.0, 88.7, 1.5),
            ("sigmoid", -87.0, 20.0, 3.0),
            ("tanh", -10.0, 10.0, 2.5),
            ("cumulative", -12.0, 8.0, 6.0),
            ("density", -12.0, 12.0, 4.0),
        ] {
            let error = largest_error(name, low, high);
            assert!(error < limit, "{name}: {error} ulp");
        }
    }

    #[test]
    fn edges() {
        let xs = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, 100.0, -120.0, -103.0];
        let exp = dispatch(Run("exp", &xs));
        assert!(exp[0].is_nan());
        assert_eq!(exp[1..6], [f32::INFINITY, 0.0, 1.0, f32::INFINITY, 0.0]);
        assert_eq!(exp[6], 1e-45, "the smallest subnormal");
        let cumulative = dispatch(Run("cumulative", &xs));
        assert!(cumulative[0].is_nan());
        assert_eq!(cumulative[1..4], [1.0, 0.0, 0.5]);
    }

    #[test]
    fn plain_code_agrees_with_this_processor() {
        let xs: Vec<f32> = (0..2000).map(|i| i as f32 / 100.0 - 10.0).collect();
        for name in ["exp", "sigmoid", "tanh", "cumulative", "density"] {
            for (fast, plain) in dispatch(Run(name, &xs)).iter().zip(Run(name, &xs).with_simd(Scalar::new()))
            {
                assert!((fast - plain).abs() <= 1e-5 * plain.abs(), "{name}: {fast} {plain}");
            }
        }
    }
}
