//! Confidence intervals of a proportion, and the normal quantile that they rest on.

use serde::{Deserialize, Serialize};

use crate::clopper_pearson::clopper_pearson;

/// A closed interval `[low, high]`, in the unit of what it bounds; serialized as an array of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies within the interval, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// `high - low`.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }
}

impl From<[f64; 2]> for Interval {
    fn from([low, high]: [f64; 2]) -> Self {
        Self { low, high }
    }
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.low, interval.high]
    }
}

/// Successes among independent trials: an estimate of a probability that remembers how much stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proportion {
    /// Trials that succeeded; at most `trials`.
    pub successes: u64,
    /// All trials.
    pub trials: u64,
}

impl Proportion {
    /// `successes / trials` in [0, 1]; `None` without trials.
    pub fn estimate(&self) -> Option<f64> {
        (self.trials > 0).then(|| self.successes as f64 / self.trials as f64)
    }

    /// The Wilson score interval; see [`wilson`].
    ///
    /// # Panics
    ///
    /// As [`wilson`] does.
    pub fn interval(&self, confidence: f64) -> Interval {
        wilson(self.successes, self.trials, confidence)
    }

    /// The Clopper-Pearson interval; see [`clopper_pearson`].
    ///
    /// # Panics
    ///
    /// As [`clopper_pearson`] does.
    pub fn exact_interval(&self, confidence: f64) -> Interval {
        clopper_pearson(self.successes, self.trials, confidence)
    }
}

/// The Wilson score interval of a binomial proportion.
///
/// With p = successes / trials, n = trials and z = Φ⁻¹((1 + confidence) / 2), its ends are
///
/// (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n).
///
/// Unlike p ± z √(p(1 − p)/n), it stays within [0, 1] and keeps a positive width at p = 0 and p = 1. No trials, no
/// knowledge: the interval is then [0, 1].
///
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927);
/// recommended by Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", Statist. Sci. 16 (2001).
///
/// # Panics
///
/// If `successes > trials`, or `confidence` is not strictly between 0 and 1.
pub fn wilson(successes: u64, trials: u64, confidence: f64) -> Interval {
    assert!(successes <= trials, "{successes} successes among {trials} trials");
    let z = two_sided_z(confidence);
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let shrink = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / shrink;
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / shrink;
    // At the edges one end is exactly p; rounding must not push it past the estimate or out of [0, 1].
    Interval {
        low: if successes == 0 { 0.0 } else { (centre - half).clamp(0.0, p) },
        high: if successes == trials { 1.0 } else { (centre + half).clamp(p, 1.0) },
    }
}

/// z such that a standard normal variable lies within ±z with probability `confidence`.
pub(crate) fn two_sided_z(confidence: f64) -> f64 {
    assert!(confidence > 0.0 && confidence < 1.0, "confidence {confidence} is not strictly between 0 and 1");
    // The lower tail, because (1 - confidence) / 2 keeps its digits where (1 + confidence) / 2 would round to 1.
    -normal_quantile((1.0 - confidence) / 2.0)
}

/// The quantile function Φ⁻¹(p) of the standard normal distribution, to about 16 digits.
///
/// Φ⁻¹(0) = −∞, Φ⁻¹(1) = ∞, and outside [0, 1] (or for NaN) the result is NaN.
///
/// Source: M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution" (routine PPND16),
/// Appl. Statist. 37 (1988) 477–484.
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(&CENTRE, 0.180625 - q * q);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail == 0.0 {
        return f64::INFINITY.copysign(q);
    }
    let r = (-tail.ln()).sqrt();
    let x = if r <= 5.0 { ratio(&MIDDLE, r - 1.6) } else { ratio(&FAR, r - 5.0) };
    x.copysign(q)
}

/// Coefficients of a numerator and a denominator, lowest power first.
type Rational = [[f64; 8]; 2];

fn ratio([numerator, denominator]: &Rational, x: f64) -> f64 {
    let horner = |coefficients: &[f64; 8]| coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c);
    horner(numerator) / horner(denominator)
}

/// |p − 1/2| ≤ 0.425.
const CENTRE: Rational = [
    [
        3.387_132_872_796_366_5,
        1.331_416_678_917_843_8e2,
        1.971_590_950_306_551_3e3,
        1.373_169_376_550_946e4,
        4.592_195_393_154_987e4,
        6.726_577_092_700_87e4,
        3.343_057_558_358_813e4,
        2.509_080_928_730_122_7e3,
    ],
    [
        1.0,
        4.231_333_070_160_091e1,
        6.871_870_074_920_579e2,
        5.394_196_021_424_751e3,
        2.121_379_430_158_659_7e4,
        3.930_789_580_009_271e4,
        2.872_908_573_572_194_3e4,
        5.226_495_278_852_545e3,
    ],
];

/// √(−ln tail) ≤ 5.
const MIDDLE: Rational = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        2.417_807_251_774_506e-1,
        2.272_384_498_926_918_4e-2,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1,
        1.519_866_656_361_645_7e-2,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
];

/// √(−ln tail) > 5.
const FAR: Rational = [
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        2.965_605_718_285_048_7e-1,
        2.653_218_952_657_612_4e-2,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        5.998_322_065_558_88e-1,
        1.369_298_809_227_358e-1,
        1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
];
