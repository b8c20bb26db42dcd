//! The normal distribution, also far out in its tails.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Φ(x).
pub(super) fn cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// ln Φ(x), finite for every finite x.
pub(super) fn log_cdf(x: f64) -> f64 {
    if x > -30.0 {
        return cdf(x).ln();
    }
    // The asymptotic series, whose next term is below 1e-9 there.
    let s = 1.0 / (x * x);
    -0.5 * x * x - (-x * (2.0 * PI).sqrt()).ln() + (-s * (1.0 - s * (3.0 - s * (15.0 - 105.0 * s)))).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `mpmath.log(mpmath.ncdf(x))`.
    #[test]
    fn agrees_with_mpmath() {
        for (x, exact) in [
            (0.0, -std::f64::consts::LN_2),
            (1.5, -0.069_143_455_612_233_98),
            (-5.0, -15.064_998_393_988_726),
            (-29.9, -451.322_912_458_528_7),
            (-30.0, -454.321_243_956_343_2),
            (-100.0, -5_005.524_208_694_205),
            (-1e5, -5_000_000_012.431_864),
        ] {
            assert!((log_cdf(x) - exact).abs() <= 1e-12 * exact.abs().max(1.0), "{x}: {}", log_cdf(x));
        }
    }
}
