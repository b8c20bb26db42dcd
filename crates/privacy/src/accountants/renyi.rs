//! Rényi differential privacy of the sampled Gaussian mechanism.
//!
//! I. Mironov, K. Talwar, L. Zhang: Rényi differential privacy of the sampled Gaussian mechanism, 2019
//! (arXiv:1908.10530). From Rényi to (ε, δ): B. Balle et al., Hypothesis testing interpretations and Rényi differential
//! privacy, 2020 (arXiv:1905.09982), theorem 21; C. Canonne, G. Kamath, T. Steinke, The discrete Gaussian for
//! differential privacy, 2020 (arXiv:2004.00010), proposition 12.

use crate::{Phase, PrivacyError, log_sum::log_sum, phase::check_delta};

/// The orders that are tried: those of Opacus, and larger ones for small ε.
pub(super) fn orders() -> impl Iterator<Item = f64> {
    let large = [64.0, 80.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0, 1024.0];
    let fractions = (1..100).map(|tenths| 1.0 + f64::from(tenths) / 10.0);
    fractions.chain((12..64).map(f64::from)).chain(large)
}

/// ε of all phases together for `delta`, by Rényi divergences: an upper bound.
///
/// # Errors
///
/// Where `delta` is no probability between 0 and 1.
pub fn rdp(phases: &[Phase], delta: f64) -> Result<f64, PrivacyError> {
    check_delta(delta)?;
    let costs = orders().map(|order| {
        let rest = ((order - 1.0) / order).ln() - (delta.ln() + order.ln()) / (order - 1.0);
        divergence_of(phases, order) + rest
    });
    Ok(costs.fold(f64::INFINITY, f64::min).max(0.0))
}

/// The Rényi divergence of all phases together.
pub(super) fn divergence_of(phases: &[Phase], order: f64) -> f64 {
    phases.iter().filter(|phase| phase.steps() > 0).map(|p| p.steps() as f64 * divergence(p, order)).sum()
}

/// The Rényi divergence of one step.
fn divergence(phase: &Phase, order: f64) -> f64 {
    if phase.rate() == 1.0 {
        return order / (2.0 * phase.noise() * phase.noise());
    }
    let log_excess = if order.fract() == 0.0 { by_sum(phase, order) } else { by_integral(phase, order) };
    // ln(1 + exp(x)).
    let log_moment = log_excess.max(0.0) + (-log_excess.abs()).exp().ln_1p();
    log_moment / (order - 1.0)
}

/// ln(A − 1) for a whole order: A is the mean of (1 + rate (e^x − 1))^order, a binomial sum. Its terms of no and of one
/// example are left out, which with all others at x = 0 add up to 1; so small a cost keeps its digits.
fn by_sum(phase: &Phase, order: f64) -> f64 {
    let (log_rate, log_rest) = (phase.rate().ln(), (-phase.rate()).ln_1p());
    let mut log_binomial = order.ln();
    let mut terms = Vec::new();
    for k in 2..=order as u32 {
        let k = f64::from(k);
        log_binomial += ((order - k + 1.0) / k).ln();
        let exponent = k * (k - 1.0) / (2.0 * phase.noise() * phase.noise());
        let log_grown = exponent + (-(-exponent).exp_m1()).ln();
        terms.push(log_binomial + k * log_rate + (order - k) * log_rest + log_grown);
    }
    log_sum(&terms)
}

/// The same for any order: the mean over the noise by the trapezoidal rule, which for such a function has all digits.
/// `ratio^order - 1 - order·(ratio - 1)` is nowhere negative, and has the mean A − 1.
fn by_integral(phase: &Phase, order: f64) -> f64 {
    let noise = phase.noise();
    let step = (noise / 16.0).min(noise * noise / 4.0);
    // The product of the density and the power has its weight around 0 and around `order`.
    let (first, last) = (-12.0 * noise, order + 12.0 * noise);
    let count = ((last - first) / step).ceil() as usize;
    let term = |i: usize| {
        let z = first + i as f64 * step;
        let log_density = -0.5 * (z / noise).powi(2) - (noise * (2.0 * std::f64::consts::PI).sqrt()).ln();
        let log_ratio = phase.log_ratio(z);
        log_density + step.ln() + log_excess(order, log_ratio)
    };
    log_sum(&(0..=count).map(term).collect::<Vec<_>>())
}

/// ln(e^(order·x) − 1 − order·(e^x − 1)).
fn log_excess(order: f64, x: f64) -> f64 {
    if (order * x).abs() < 1e-3 {
        let series = 1.0 + x * (order + 1.0) / 3.0 + x * x * (order * order + order + 1.0) / 12.0;
        return (0.5 * order * (order - 1.0) * x * x * series).ln();
    }
    if order * x > 30.0 {
        return order * x + (-(1.0 + order * x.exp_m1()) * (-order * x).exp()).ln_1p();
    }
    ((order * x).exp_m1() - order * x.exp_m1()).max(0.0).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_orders_agree_with_the_integral() {
        for noise in [0.3, 0.7, 1.5, 10.0, 100.0] {
            for rate in [1e-6, 1e-3, 0.04, 0.5, 0.999] {
                let phase = Phase::new(noise, rate, 1).unwrap_or_else(|e| panic!("{e}"));
                for order in [2.0, 3.0, 7.0, 10.0, 32.0] {
                    let (sum, integral) = (by_sum(&phase, order), by_integral(&phase, order));
                    assert!(
                        (sum - integral).abs() < 1e-9 * sum.abs().max(1.0),
                        "{noise} {rate} {order}: {sum} {integral}"
                    );
                }
            }
        }
    }
}
