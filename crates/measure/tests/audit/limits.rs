//! Whether the gate lets through what it must not.

use crucible_measure::limits::{Limit, Verdict};
use crucible_measure::{Estimate, Interval, Proportion};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn measured(low: f64, high: f64) -> Estimate {
    Estimate { value: f64::midpoint(low, high), interval: Some(Interval { low, high }) }
}

#[test]
fn the_interval_decides_and_not_the_value() {
    for (limit, low, high, expected) in [
        (Limit::Min(0.9), 0.91, 0.95, Verdict::Pass),
        (Limit::Min(0.9), 0.9, 0.9, Verdict::Pass),
        (Limit::Min(0.9), 0.89, 0.99, Verdict::Undecided),
        (Limit::Min(0.9), 0.7, 0.89, Verdict::Fail),
        (Limit::Max(0.1), 0.02, 0.1, Verdict::Pass),
        (Limit::Max(0.1), 0.05, 0.11, Verdict::Undecided),
        (Limit::Max(0.1), 0.11, 0.2, Verdict::Fail),
        (Limit::Max(0.1), f64::NAN, 0.2, Verdict::Undecided),
        (Limit::Min(0.1), f64::NAN, f64::NAN, Verdict::Undecided),
    ] {
        assert_eq!(limit.judge(measured(low, high)), expected, "{limit:?}, {low}, {high}");
    }
    assert_eq!(Limit::Min(0.5).judge(Estimate { value: 1.0, interval: None }), Verdict::Undecided);
    assert!((Limit::Min(0.9).margin(0.95) - 0.05).abs() < 1e-12 && Limit::Max(0.1).margin(0.3) < 0.0);
    assert_eq!(serde_json::to_string(&Limit::Min(0.5)).unwrap(), r#"{"min":0.5}"#);
}

/// A model exactly at the limit, measured 200 times, passes in at most 5% of them, at an interval's confidence of 95%.
#[test]
fn a_model_at_the_limit_rarely_passes() {
    for (share, examples) in [(0.9, 200), (0.9, 2000), (0.99, 1000), (0.5, 400), (0.05, 500)] {
        let mut rng = ChaCha8Rng::seed_from_u64(20);
        let mut passes = [0, 0];
        for _ in 0..200 {
            let successes = (0..examples).filter(|_| rng.random::<f64>() < share).count() as u64;
            let found = Proportion { successes, trials: examples };
            let estimate = Estimate { value: share, interval: Some(found.interval(0.95)) };
            for (passes, limit) in passes.iter_mut().zip([Limit::Min(share), Limit::Max(share)]) {
                *passes += usize::from(limit.judge(estimate) == Verdict::Pass);
            }
        }
        assert!(passes.iter().all(|passes| *passes <= 10), "{share} of {examples}: {passes:?} of 200");
    }
}
