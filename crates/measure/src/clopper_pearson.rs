//! The exact confidence interval of a proportion, from the tails of the binomial distribution.

use crate::interval::Interval;

/// The Clopper-Pearson interval of a binomial proportion: it holds the true one with a probability of `confidence` or
/// more, whatever the proportion and the number of trials.
///
/// Its low end is the p at which so many successes or more have the probability (1 − confidence)/2, its high end the p at
/// which so few or fewer have: each is a one-sided bound at the level (1 + confidence)/2. No trials, no knowledge: the
/// interval is then [0, 1].
///
/// It is wider than [`wilson`](crate::wilson)'s, which is right on average only; take it where a promise rests on it.
///
/// Source: C. Clopper, E. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
/// Biometrika 26 (1934).
///
/// # Panics
///
/// If `successes > trials`, or `confidence` is not strictly between 0 and 1.
pub fn clopper_pearson(successes: u64, trials: u64, confidence: f64) -> Interval {
    assert!(confidence > 0.0 && confidence < 1.0, "confidence {confidence} is not strictly between 0 and 1");
    let alpha = 0.5 * (1.0 - confidence);
    Interval {
        low: clopper_pearson_lower(successes, trials, alpha),
        high: clopper_pearson_upper(successes, trials, alpha),
    }
}

/// The one-sided lower bound of a proportion: above it with a probability of at most `alpha`. 0 without a success.
///
/// # Panics
///
/// If `successes > trials`, or `alpha` is not strictly between 0 and 1.
pub fn clopper_pearson_lower(successes: u64, trials: u64, alpha: f64) -> f64 {
    check(successes, trials, alpha);
    if successes == 0 {
        return 0.0;
    }
    // The probability of as many successes rises with p, from 0 to 1.
    let (mut low, mut high) = (0.0, 1.0);
    let log_choose = log_choose(successes, trials);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        match at_least(successes, trials, log_choose, middle) > alpha {
            true => high = middle,
            false => low = middle,
        }
    }
    low
}

/// The one-sided upper bound of a proportion: below it with a probability of at most `alpha`. 1 without a failure.
///
/// # Panics
///
/// If `successes > trials`, or `alpha` is not strictly between 0 and 1.
pub fn clopper_pearson_upper(successes: u64, trials: u64, alpha: f64) -> f64 {
    check(successes, trials, alpha);
    if successes == trials {
        return 1.0;
    }
    // The probability of as few successes falls with p, from 1 to 0.
    let (mut low, mut high) = (0.0, 1.0);
    let log_choose = log_choose(successes, trials);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        match at_most(successes, trials, log_choose, middle) > alpha {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

fn check(successes: u64, trials: u64, alpha: f64) {
    assert!(successes <= trials, "{successes} successes among {trials} trials");
    assert!(alpha > 0.0 && alpha < 1.0, "α is {alpha}, not strictly between 0 and 1");
}

/// The probability of `successes` or more among `trials` of probability `p`.
fn at_least(successes: u64, trials: u64, log_choose: f64, p: f64) -> f64 {
    let here = mass(successes, trials, log_choose, p);
    // Whichever side falls from here on.
    match successes as f64 >= trials as f64 * p {
        true => above(successes, trials, here, p),
        false => 1.0 - (below(successes, trials, here, p) - here),
    }
}

/// The probability of `successes` or fewer among `trials` of probability `p`.
fn at_most(successes: u64, trials: u64, log_choose: f64, p: f64) -> f64 {
    let here = mass(successes, trials, log_choose, p);
    match successes as f64 <= trials as f64 * p {
        true => below(successes, trials, here, p),
        false => 1.0 - (above(successes, trials, here, p) - here),
    }
}

/// The masses from `k` upwards, the first of which is `mass`.
fn above(k: u64, trials: u64, mass: f64, p: f64) -> f64 {
    let odds = p / (1.0 - p);
    summed(mass, (k..trials).map(|k| (trials - k) as f64 / (k + 1) as f64 * odds))
}

/// The masses from `k` downwards, the first of which is `mass`.
fn below(k: u64, trials: u64, mass: f64, p: f64) -> f64 {
    let odds = (1.0 - p) / p;
    summed(mass, (1..=k).rev().map(|k| k as f64 / (trials - k + 1) as f64 * odds))
}

/// A first term and those that follow by ever smaller ratios.
fn summed(first: f64, ratios: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut term) = (first, first);
    for ratio in ratios {
        term *= ratio;
        sum += term;
        if term < 1e-18 * sum {
            break;
        }
    }
    sum
}

/// The probability of exactly `k` successes.
fn mass(k: u64, trials: u64, log_choose: f64, p: f64) -> f64 {
    // 0 · ln 0 is 0.
    let power = |count: u64, log: f64| if count == 0 { 0.0 } else { count as f64 * log };
    (log_choose + power(k, p.ln()) + power(trials - k, (-p).ln_1p())).exp()
}

/// The logarithm of the number of ways to choose `k` of `trials`.
fn log_choose(k: u64, trials: u64) -> f64 {
    let few = k.min(trials - k);
    (0..few).map(|i| ((trials - i) as f64 / (few - i) as f64).ln()).sum()
}
