use crucible_data::{Examples, Inputs, Targets};
use crucible_measure::{Proportion, normal_quantile};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::*;
use crate::accountants::epsilon_of;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/audit.json")).expect("JSON")
}

fn guesses(canaries: u64, made: u64, right: u64) -> Guesses {
    Guesses::new(canaries, made, right).expect("possible guesses")
}

/// Equal to a relative 1e-9, or an absolute one near zero.
#[track_caller]
fn assert_near(ours: f64, theirs: f64, of: &Value) {
    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{ours} is not {theirs}: {of}");
}

/// Published bounds: the first three of an audit that was published with its counts, the others of the paper, in appendix
/// D and section 7, which has cut the last digits off.
#[test]
fn one_run_agrees_with_published_values() {
    for (canaries, made, right, delta, confidence, published, digits) in [
        (500, 100, 100, 1e-5, 0.95, 3.479_195, 1e-6),
        (500, 100, 100, 1e-5, 0.99, 3.023_198, 1e-6),
        (500, 100, 60, 1e-5, 0.95, 0.050_735_6, 1e-7),
        (1000, 100, 75, 1e-4, 0.95, 0.673, 1e-3),
        (100_000, 1510, 1439, 1e-5, 0.95, 2.675, 1e-3),
    ] {
        let found = one_run(guesses(canaries, made, right), delta, confidence).expect("a bound");
        assert!((found - published).abs() < digits, "{found} for {published}");
    }
    // Randomised response of ε = ln 3 tells the truth three times of four.
    let chance = p_value(guesses(100, 100, 75), 3f64.ln(), 0.0).expect("a probability");
    assert!((chance - 0.553).abs() < 5e-4, "{chance}");
}

#[test]
fn one_run_is_scipys() {
    for case in golden()["one_run"].as_array().expect("a list") {
        let count = |name: &str| case[name].as_u64().expect("a count");
        let number = |name: &str| case[name].as_f64().expect("a number");
        let guesses = guesses(count("canaries"), count("made"), count("right"));
        let delta = number("delta");
        let found = one_run(guesses, delta, number("confidence")).expect("a bound");
        assert_near(found, number("epsilon"), case);
        for pair in case["p_values"].as_array().expect("a list") {
            let [epsilon, chance] = [0, 1].map(|i| pair[i].as_f64().expect("a number"));
            assert_near(p_value(guesses, epsilon, delta).expect("a probability"), chance, case);
        }
    }
}

#[test]
fn many_runs_are_scipys() {
    for case in golden()["many_runs"].as_array().expect("a list") {
        let share = |name: &str| {
            let [successes, trials] = [0, 1].map(|i| case[name][i].as_u64().expect("a count"));
            Proportion { successes, trials }
        };
        let number = |name: &str| case[name].as_f64().expect("a number");
        let mistakes =
            Mistakes { false_positives: share("false_positives"), false_negatives: share("false_negatives") };
        for (bound, name) in [(Bound::Rates, "rates"), (Bound::Gaussian, "gaussian")] {
            let found = bound.epsilon(mistakes, number("delta"), number("confidence")).expect("a bound");
            assert_near(found, number(name), case);
        }
    }
}

const RUNS: usize = 200;

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// Bounds at 95% that lie above the true ε in no more than 5% of the runs, and are not far below it on average.
#[track_caller]
fn assert_honest(bounds: &[f64], epsilon: f64, reach: f64) {
    assert_eq!(bounds.len(), RUNS);
    let above = bounds.iter().filter(|bound| **bound > epsilon).count();
    let mean = bounds.iter().sum::<f64>() / RUNS as f64;
    println!("ε {epsilon}: {above} of {RUNS} above, mean {mean}");
    assert!(above * 20 <= RUNS, "{above} of {RUNS} bounds lie above {epsilon}");
    assert!(mean > reach * epsilon, "a mean bound of {mean} for {epsilon}");
}

/// Randomised response tells the truth of each canary with the probability e^ε/(1 + e^ε): the worst that ε allows.
#[test]
fn one_run_bounds_randomised_response_honestly() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for epsilon in [0.3f64, 1.0, 3.0] {
        let truth = 1.0 / (1.0 + (-epsilon).exp());
        let mut bound = |_| {
            let right = (0..1000).filter(|_| uniform(&mut rng) < truth).count();
            one_run(guesses(1000, 1000, right as u64), 0.0, 0.95).expect("a bound")
        };
        assert_honest(&(0..RUNS).map(&mut bound).collect::<Vec<_>>(), epsilon, 0.5);
    }
}

/// A sum of 500 orthogonal canaries with Gaussian noise, seen whole.
#[test]
fn one_run_bounds_a_gaussian_sum_honestly() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for noise in [0.5, 1.0, 2.0] {
        let epsilon = epsilon_of(1.0 / noise, 1e-5);
        let mut bound = |_| {
            let members: Vec<bool> = (0..500).map(|_| uniform(&mut rng) < 0.5).collect();
            let see =
                |member: &bool| f64::from(u8::from(*member)) + noise * normal_quantile(uniform(&mut rng));
            let scores: Vec<f64> = members.iter().map(see).collect();
            let guesses = Guesses::by_rank(&scores, &members, 100).expect("as many canaries");
            one_run(guesses, 1e-5, 0.95).expect("a bound")
        };
        assert_honest(&(0..RUNS).map(&mut bound).collect::<Vec<_>>(), epsilon, 0.1);
    }
}

/// The Gaussian mechanism over 1000 runs on each side, from which rates can show no more than an ε of 5.6.
#[test]
fn many_runs_bound_the_gaussian_mechanism_honestly() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (bound, threshold, reach) in [(Bound::Rates, 1.0, 0.2), (Bound::Gaussian, 0.5, 0.8)] {
        for noise in [0.5, 1.0] {
            let epsilon = epsilon_of(1.0 / noise, 1e-5);
            let mut mistakes = |sum: f64| {
                let seen = (0..1000).map(|_| sum + noise * normal_quantile(uniform(&mut rng)));
                let wrong = seen.filter(|seen| (*seen > threshold) != (sum > 0.5)).count() as u64;
                Proportion { successes: wrong, trials: 1000 }
            };
            let mut audit = |_| {
                let mistakes = Mistakes { false_positives: mistakes(0.0), false_negatives: mistakes(1.0) };
                bound.epsilon(mistakes, 1e-5, 0.95).expect("a bound")
            };
            assert_honest(&(0..RUNS).map(&mut audit).collect::<Vec<_>>(), epsilon, reach);
        }
    }
}

#[test]
fn rates_bound_randomised_response_honestly() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for epsilon in [0.5f64, 2.0] {
        let lie = 1.0 / (1.0 + epsilon.exp());
        let mut share = || {
            let wrong = (0..1000).filter(|_| uniform(&mut rng) < lie).count() as u64;
            Proportion { successes: wrong, trials: 1000 }
        };
        let mut audit = |_| {
            let mistakes = Mistakes { false_positives: share(), false_negatives: share() };
            Bound::Rates.epsilon(mistakes, 0.0, 0.95).expect("a bound")
        };
        assert_honest(&(0..RUNS).map(&mut audit).collect::<Vec<_>>(), epsilon, 0.7);
    }
}

#[test]
fn more_evidence_and_less_confidence_bound_higher() {
    let bound = |right, made, canaries, delta, confidence| {
        one_run(guesses(canaries, made, right), delta, confidence).expect("a bound")
    };
    let here = bound(80, 100, 200, 1e-5, 0.95);
    assert!(bound(81, 100, 200, 1e-5, 0.95) > here);
    assert!(bound(800, 1000, 2000, 1e-5, 0.95) > here);
    assert!(bound(80, 100, 200, 1e-5, 0.9) > here);
    assert!(bound(80, 100, 200, 1e-3, 0.95) < here);
    assert!(bound(80, 100, 20_000, 1e-5, 0.95) < here);
    assert_eq!(bound(50, 100, 200, 1e-5, 0.95), 0.0);
}

#[test]
fn guesses_by_rank_are_of_both_ends() {
    let scores = [0.1, 0.9, 0.5, 0.8, 0.2];
    let members = [false, true, false, false, true];
    let found = |made| Guesses::by_rank(&scores, &members, made).map(|guesses| guesses.right());
    assert_eq!([found(0), found(2), found(4)], [Ok(0), Ok(2), Ok(2)]);
    assert_eq!(found(3), Err(PrivacyError::Sides { canaries: 5, made: 3 }));
    assert_eq!(found(6), Err(PrivacyError::Sides { canaries: 5, made: 6 }));
    assert_eq!(Guesses::by_rank(&[0.5, f64::NAN], &[true, false], 2), Err(PrivacyError::Unranked(1)));
}

#[test]
fn bad_numbers_are_errors_that_say_what_would_do() {
    assert_eq!(Guesses::new(10, 5, 6), Err(PrivacyError::Guesses { canaries: 10, made: 5, right: 6 }));
    assert!(Guesses::new(10, 11, 6).is_err());
    let some = guesses(10, 5, 4);
    assert_eq!(one_run(some, 1.0, 0.95), Err(PrivacyError::Slack(1.0)));
    assert_eq!(one_run(some, 0.0, 1.0), Err(PrivacyError::Level(1.0)));
    assert_eq!(p_value(some, -1.0, 0.0), Err(PrivacyError::Audited(-1.0)));
    let none = Proportion { successes: 0, trials: 0 };
    let mistakes = Mistakes { false_positives: none, false_negatives: none };
    // Without runs nothing is known.
    assert_eq!([Bound::Rates, Bound::Gaussian].map(|b| b.epsilon(mistakes, 1e-5, 0.95)), [Ok(0.0), Ok(0.0)]);
    assert_eq!(Bound::Gaussian.epsilon(mistakes, 0.0, 0.95), Err(PrivacyError::Delta(0.0)));
    assert!(matches!(Bound::Rates.epsilon(mistakes, f64::NAN, 0.95), Err(PrivacyError::Slack(_))));
}

fn numbered(count: usize, classes: u32) -> Examples {
    let inputs = Inputs::Floats((0..count).map(|i| i as f32).collect());
    Examples::new(vec![1], inputs, Targets::Classes((0..count as u32).map(|i| i % classes).collect()))
}

/// Of 200 draws of 30 among 60 examples of 4 classes, every count lies within four deviations of what it should be.
#[test]
fn canaries_are_drawn_evenly_and_tossed_fairly() {
    let examples = numbered(60, 4);
    let own = examples.classes().expect("classes");
    let (mut taken, mut labels, mut members) = ([0f64; 60], [[0f64; 4]; 4], 0f64);
    for seed in 0..200 {
        let (mut draws, mut coins) =
            (ChaCha8Rng::seed_from_u64(seed), ChaCha8Rng::seed_from_u64(1000 + seed));
        let found = canaries(&examples, 4, 30, &mut draws, &mut coins);
        assert_eq!(found.len(), 30);
        assert!(found.is_sorted_by(|a, b| a.example < b.example));
        for canary in found {
            taken[canary.example] += 1.0;
            labels[own[canary.example] as usize][canary.label as usize] += 1.0;
            members += f64::from(u8::from(canary.member));
        }
    }
    let near = |count: f64, trials: f64, share: f64| {
        (count - trials * share).abs() < 4.0 * (trials * share * (1.0 - share)).sqrt()
    };
    assert!(taken.iter().all(|count| near(*count, 200.0, 0.5)), "{taken:?}");
    assert!(near(members, 6000.0, 0.5), "{members}");
    for (own, counts) in labels.iter().enumerate() {
        let all = counts.iter().sum();
        for (label, count) in counts.iter().enumerate() {
            assert!(if label == own { *count == 0.0 } else { near(*count, all, 1.0 / 3.0) }, "{labels:?}");
        }
    }
}

#[test]
fn coins_change_no_canary_and_are_secret_where_they_must_be() {
    let examples = numbered(300, 2);
    let tossed =
        |coins: &mut ChaCha8Rng| canaries(&examples, 2, 300, &mut ChaCha8Rng::seed_from_u64(1), coins);
    let [one, two] = [2, 3].map(|seed| tossed(&mut ChaCha8Rng::seed_from_u64(seed)));
    assert!(one.iter().zip(&two).all(|(a, b)| (a.example, a.label) == (b.example, b.label)));
    assert_ne!(one, two);
    let secret = || {
        let mut coins = secret_coins().expect("a key");
        canaries(&examples, 2, 300, &mut ChaCha8Rng::seed_from_u64(1), &mut coins)
    };
    assert_ne!(secret(), secret());
}

#[test]
fn an_audit_trains_on_all_but_the_canaries_that_are_left_out() {
    let examples = numbered(5, 5);
    let canary = |example, label, member| Canary { example, label, member };
    let left = with_canaries(&examples, &[canary(1, 4, true), canary(3, 0, false)]);
    assert_eq!(left.inputs(), &Inputs::Floats(vec![0.0, 1.0, 2.0, 4.0]));
    assert_eq!(left.classes(), Some(&[0, 4, 2, 4][..]));
    assert_eq!(with_canaries(&examples, &[]), examples);
}
