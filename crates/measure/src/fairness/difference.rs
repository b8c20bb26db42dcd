use crate::estimate::Estimate;
use crate::interval::{Interval, Proportion};

/// The difference `a` − `b` of two independent shares, with Newcombe's interval, which combines their Wilson intervals and
/// is right for small groups too. `None` where one has no trials.
///
/// With the group that may be wronged first it is AIF360's statistical parity difference, of selections or labels, or
/// equal opportunity difference, of true positives.
///
/// Source: R. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
/// methods", Statist. Med. 17 (1998), method 10.
///
/// # Panics
///
/// If `confidence` is not strictly between 0 and 1.
pub fn rate_difference(a: Proportion, b: Proportion, confidence: f64) -> Option<Estimate> {
    let (p, q) = (a.estimate()?, b.estimate()?);
    let (of_p, of_q) = (a.interval(confidence), b.interval(confidence));
    let interval = Interval {
        low: p - q - (p - of_p.low).hypot(of_q.high - q),
        high: p - q + (of_p.high - p).hypot(q - of_q.low),
    };
    Some(Estimate { value: p - q, interval: Some(interval) })
}

/// The ratio `a`/`b` of two independent shares, with the interval that follows from their Wilson intervals; it may reach
/// to infinity. `None` where one has no trials, or `b` no successes.
///
/// With the group that may be wronged first it is AIF360's disparate impact, of selections or labels; below 0.8 it breaks
/// the four-fifths rule of the US Uniform Guidelines on Employee Selection Procedures (1978).
///
/// Source: A. Donner, G. Zou, "Closed-form confidence intervals for functions of the normal mean and standard deviation",
/// Stat. Methods Med. Res. 21 (2012), by the method of variance estimates recovery (MOVER).
///
/// # Panics
///
/// If `confidence` is not strictly between 0 and 1.
pub fn rate_ratio(a: Proportion, b: Proportion, confidence: f64) -> Option<Estimate> {
    let (p, q) = (a.estimate()?, b.estimate()?);
    let interval = ratio_interval(a, b, confidence);
    (q > 0.0).then(|| Estimate { value: p / q, interval: Some(interval) })
}

/// The interval of the ratio, also where `b` has no successes, and from 0 to infinity where one has no trials.
pub(super) fn ratio_interval(a: Proportion, b: Proportion, confidence: f64) -> Interval {
    let (Some(p), Some(q)) = (a.estimate(), b.estimate()) else {
        return Interval { low: 0.0, high: f64::INFINITY };
    };
    let (of_p, of_q) = (a.interval(confidence), b.interval(confidence));
    // Each end solves a quadratic equation whose roots have the product of `from` and 1/`to`.
    let root = |from: f64, to: f64| ((p * q).powi(2) - from * to).max(0.0).sqrt();
    let (from, to) = (of_p.low * (2.0 * p - of_p.low), of_q.high * (2.0 * q - of_q.high));
    let low = if from > 0.0 { from / (p * q + root(from, to)) } else { 0.0 };
    let (from, to) = (of_p.high * (2.0 * p - of_p.high), of_q.low * (2.0 * q - of_q.low));
    let high = if to > 0.0 { (p * q + root(from, to)) / to } else { f64::INFINITY };
    Interval { low, high }
}
