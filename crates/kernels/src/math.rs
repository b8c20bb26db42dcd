//! Elementary functions over vectors. Errors are in units in the last place (ulp) of float32 against float64, measured
//! by the tests over every interval that float32 distinguishes coarsely.

use pulp::Simd;

use crate::wide::Wide;

/// `c₀ + c₁x + …` by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, const U: usize, const N: usize>(x: Wide<S, U>, coefficients: [f32; N]) -> Wide<S, U> {
    let mut sum = x.splat(coefficients[N - 1]);
    for i in (0..N - 1).rev() {
        sum = sum.mul_add(x, x.splat(coefficients[i]));
    }
    sum
}

/// 1.5 · 2²³: adding it leaves the nearest integer in the low bits of a float of moderate size.
const TO_INTEGER: f32 = 12_582_912.0;

/// `eʳ` and `k + TO_INTEGER` with `x = k ln 2 + r`, |r| ≤ ln 2 / 2: a polynomial (Cephes, `expf.c`).
#[inline(always)]
fn reduced_exp<S: Simd, const U: usize>(x: Wide<S, U>) -> (Wide<S, U>, Wide<S, U>) {
    let shifted = x.mul_add(x.splat(std::f32::consts::LOG2_E), x.splat(TO_INTEGER));
    let k = shifted - x.splat(TO_INTEGER);
    let r = k.mul_add(x.splat(-0.693_359_4), x);
    let r = k.mul_add(x.splat(2.121_944_4e-4), r);
    let tail = [0.5, 1.666_666_5e-1, 4.166_579_6e-2, 8.333_452e-3, 1.398_2e-3, 1.987_569_1e-4];
    let tail = polynomial(r, tail);
    ((r * r).mul_add(tail, r) + x.splat(1.0), shifted)
}

/// `eˣ`, subnormal results and infinity included: two factors for `2ᵏ`.
#[inline(always)]
pub(crate) fn exp<S: Simd, const U: usize>(x: Wide<S, U>) -> Wide<S, U> {
    let clamped = x.max(x.splat(-104.0)).min(x.splat(89.0));
    let (result, shifted) = reduced_exp(clamped);
    let magic = x.splat(TO_INTEGER);
    let k = shifted - magic;
    let half = k.mul_add(x.splat(0.5), magic);
    let rest = k - (half - magic) + magic;
    x.is_number().select(result * half.power_of_two() * rest.power_of_two(), x)
}

/// `eˣ` for `x ≤ 0`; zero where it would be subnormal.
#[inline(always)]
pub(crate) fn exp_of_negative<S: Simd, const U: usize>(x: Wide<S, U>) -> Wide<S, U> {
    let (result, shifted) = reduced_exp(x);
    // NaN is not less, and stays.
    x.less_than(x.splat(-87.33)).select(x.splat(0.0), result * shifted.power_of_two())
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd, const U: usize>(x: Wide<S, U>) -> Wide<S, U> {
    x.splat(1.0) / (x.splat(1.0) + exp(-x))
}

/// Hyperbolic tangent: an odd polynomial near zero (Cephes, `tanhf.c`), `1 − 2 / (e²ˣ + 1)` elsewhere.
#[inline(always)]
pub(crate) fn tanh<S: Simd, const U: usize>(x: Wide<S, U>) -> Wide<S, U> {
    let (size, square) = (x.abs(), x * x);
    let small = [-0.333_332_83, 1.333_144_2e-1, -5.373_971_6e-2, 0.020_639_09, -5.704_988_7e-3];
    let small = (polynomial(square, small) * square).mul_add(x, x);
    let large = exp(size + size) + x.splat(1.0);
    let large = x.splat(1.0) - x.splat(2.0) / large;
    let large = x.less_than(x.splat(0.0)).select(-large, large);
    let result = size.less_than(x.splat(0.625)).select(small, large);
    x.is_number().select(result, x)
}

/// The normal distribution at `x`: its cumulative probability `Φ(x)` and its density `φ(x)`.
///
/// `Φ(−a) = e^(−a²/2) g(a)`, `g` a polynomial in `t = 1 / (1 + 0.3a)` fitted for least relative error (3.5e-9) over
/// `0 ≤ a ≤ 14.5`, so that the lower tail keeps its digits, as `(1 + erf)/2` does not. Zero beyond 13.2, where the
/// density is subnormal.
#[inline(always)]
pub(crate) fn normal<S: Simd, const U: usize>(x: Wide<S, U>) -> (Wide<S, U>, Wide<S, U>) {
    let size = x.abs().min(x.splat(15.0));
    let square = size * size;
    // What rounding the square lost; beyond e⁻¹⁰ it would cost digits.
    let lost = size.mul_add(size, -square);
    let bell = exp_of_negative(square * x.splat(-0.5));
    let bell = (lost * x.splat(-0.5)).mul_add(bell, bell);
    let t = x.splat(1.0) / size.mul_add(x.splat(0.3), x.splat(1.0));
    let tail = polynomial(t, TAIL) * t * bell;
    let below = x.less_than(x.splat(0.0)).select(tail, x.splat(1.0) - tail);
    let density = bell * x.splat(0.398_942_3);
    let number = x.is_number();
    (number.select(below, x), number.select(density, x))
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

    use crate::{simd::dispatch, wide::Wide};

    /// One of the functions above, by name, over a slice.
    struct Run<'a>(&'a str, &'a [f32]);

    impl WithSimd for Run<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
            let mut output = self.1.to_vec();
            for (x, y) in self.1.chunks(S::F32_LANES).zip(output.chunks_mut(S::F32_LANES)) {
                let x = simd.partial_load_f32s(x);
                let x = Wide::new(simd, [x]);
                let value = match self.0 {
                    "exp" => super::exp(x),
                    "exp of negative" => super::exp_of_negative(x),
                    "sigmoid" => super::sigmoid(x),
                    "tanh" => super::tanh(x),
                    "cumulative" => super::normal(x).0,
                    _ => super::normal(x).1,
                };
                simd.partial_store_f32s(y, value.vectors[0]);
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
            "exp" | "exp of negative" => x.exp(),
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
            ("exp of negative", -87.3, 0.0, 1.5),
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
        let negative = dispatch(Run("exp of negative", &[f32::NAN, f32::NEG_INFINITY, 0.0, -1e9, -88.0]));
        assert!(negative[0].is_nan());
        assert_eq!(negative[1..], [0.0, 1.0, 0.0, 0.0]);
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
