//! The receiver operating characteristic and exact intervals, against scikit-learn and scipy (`golden/roc.py` wrote
//! `golden/roc.json`), and what holds of them for every input.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use crucible_measure::{
    NoRoc, OperatingPoint, Proportion, Roc, clopper_pearson, clopper_pearson_lower, clopper_pearson_upper,
    normal_quantile,
};
use proptest::prelude::*;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/roc.json")).unwrap()
}

fn items(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    items(value).iter().map(|v| v.as_f64().unwrap()).collect()
}

fn share(proportion: Proportion) -> f64 {
    proportion.estimate().unwrap()
}

/// Equal to a relative 1e-9.
#[track_caller]
fn assert_near(ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs(), "{ours} is not {theirs}");
}

#[test]
fn clopper_pearson_is_the_beta_distribution_of_scipy() {
    for case in items(&golden()["clopper_pearson"]) {
        let (successes, trials) = (case["successes"].as_u64().unwrap(), case["trials"].as_u64().unwrap());
        let ours = clopper_pearson(successes, trials, case["confidence"].as_f64().unwrap());
        let theirs = numbers(&case["interval"]);
        assert_near(ours.low, theirs[0]);
        assert_near(ours.high, theirs[1]);
    }
    assert_eq!(<[f64; 2]>::from(clopper_pearson(0, 0, 0.95)), [0.0, 1.0]);
}

#[test]
fn curves_are_scikit_learn_roc_curve() {
    for case in items(&golden()["curves"]) {
        let roc = Roc::new(&numbers(&case["positives"]), &numbers(&case["negatives"])).unwrap();
        let column = |of: fn(&OperatingPoint) -> f64| roc.points().iter().map(of).collect::<Vec<_>>();
        assert_eq!(column(|p| share(p.false_positives)), numbers(&case["fpr"]), "{}", case["name"]);
        assert_eq!(column(|p| share(p.true_positives)), numbers(&case["tpr"]), "{}", case["name"]);
        let thresholds = column(|p| p.threshold);
        assert_eq!((thresholds[0], &thresholds[1..]), (f64::INFINITY, &numbers(&case["thresholds"])[..]));

        assert_near(roc.auc(), case["auc"].as_f64().unwrap());
        for (confidence, interval) in case["intervals"].as_object().unwrap() {
            let ours = roc.auc_interval(confidence.parse().unwrap()).unwrap();
            assert_near(ours.low, numbers(interval)[0]);
            assert_near(ours.high, numbers(interval)[1]);
        }
        assert_near(roc.best().balanced_accuracy(), case["balanced_accuracy"].as_f64().unwrap());
        for at in items(&case["at"]) {
            let found = roc.at_false_positive_rate(at["most"].as_f64().unwrap()).true_positives;
            assert_near(share(found), at["tpr"].as_f64().unwrap());
            let (ours, theirs) = (found.exact_interval(0.95), numbers(&at["interval"]));
            assert_near(ours.low, theirs[0]);
            assert_near(ours.high, theirs[1]);
        }
    }
}

/// A normal variable of mean μ against one of mean 0: the area is Φ(μ/√2), which the interval holds as often as it says.
#[test]
fn the_interval_holds_the_known_area_of_normal_scores() {
    let mut state = 1u64;
    let mut normal = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        normal_quantile(((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64)
    };
    // Φ(1/√2), from scipy.
    let known = 0.760_249_938_906_523_5;
    let (runs, mut held) = (1000, 0);
    for _ in 0..runs {
        let positives: Vec<f64> = (0..80).map(|_| normal() + 1.0).collect();
        let negatives: Vec<f64> = (0..60).map(|_| normal()).collect();
        let interval = Roc::new(&positives, &negatives).unwrap().auc_interval(0.9).unwrap();
        held += u32::from(interval.contains(known));
    }
    // Three standard errors of a share of 0.9, and one percent for the approximation.
    assert!((862..=938).contains(&held), "{held} of {runs}");
}

#[test]
fn what_has_no_curve_or_no_interval_says_so() {
    assert_eq!(Roc::new(&[], &[1.0]), Err(NoRoc::Empty { positives: 0, negatives: 1 }));
    assert_eq!(Roc::new(&[1.0], &[f64::NAN]), Err(NoRoc::NotANumber));
    let apart = Roc::new(&[2.0, f64::INFINITY], &[1.0, 0.0, f64::NEG_INFINITY]).unwrap();
    assert_eq!((apart.auc(), apart.auc_interval(0.95)), (1.0, None));
    assert_eq!(apart.best().threshold, 2.0);
    let equal = Roc::new(&[0.0, -0.0], &[-0.0, 0.0]).unwrap();
    assert_eq!((equal.auc(), equal.auc_interval(0.95), equal.points().len()), (0.5, None, 2));
    assert_eq!(Roc::new(&[1.0], &[0.0, 2.0]).unwrap().auc_interval(0.95), None);
}

/// No threshold between equal scores: the one false positive at the top brings both true ones, or neither.
#[test]
fn equal_scores_are_one_step() {
    let roc = Roc::new(&[3.0, 3.0, 1.0], &[3.0, 1.0, 0.0, 0.0]).unwrap();
    let at = |most| roc.at_false_positive_rate(most).true_positives.successes;
    assert_eq!([at(0.0), at(0.249), at(0.25), at(0.49), at(0.5), at(1.0)], [0, 0, 2, 2, 3, 3]);
}

fn scores() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-4i8..4).prop_map(f64::from), 1..30)
}

proptest! {
    #[test]
    fn the_area_is_the_share_of_pairs_in_order(positives in scores(), negatives in scores()) {
        let wins = positives.iter().flat_map(|p| negatives.iter().map(move |n| match p.total_cmp(n) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        }));
        let pairs = (positives.len() * negatives.len()) as f64;
        let roc = Roc::new(&positives, &negatives).unwrap();
        prop_assert!((roc.auc() - wins.sum::<f64>() / pairs).abs() < 1e-12);

        let mirrored = Roc::new(&negatives, &positives).unwrap();
        prop_assert!((roc.auc() + mirrored.auc() - 1.0).abs() < 1e-12);
        let grown: [Vec<f64>; 2] = [&positives, &negatives].map(|s| s.iter().map(|x| x.exp()).collect());
        let grown = Roc::new(&grown[0], &grown[1]).unwrap();
        prop_assert_eq!(roc.auc(), grown.auc());
        prop_assert_eq!(roc.auc_interval(0.9), grown.auc_interval(0.9));
        if let Some(interval) = roc.auc_interval(0.9) {
            prop_assert!(interval.contains(roc.auc()) && interval.low >= 0.0 && interval.high <= 1.0);
        }
    }

    #[test]
    fn points_rise_from_nothing_to_everything(positives in scores(), negatives in scores(), most in 0.0..=1.0) {
        let roc = Roc::new(&positives, &negatives).unwrap();
        let counts: Vec<_> =
            roc.points().iter().map(|p| [p.true_positives.successes, p.false_positives.successes]).collect();
        prop_assert_eq!(counts[0], [0, 0]);
        prop_assert_eq!(*counts.last().unwrap(), [positives.len() as u64, negatives.len() as u64]);
        prop_assert!(counts.windows(2).all(|pair| pair[0][0] <= pair[1][0] && pair[0][1] <= pair[1][1]));
        for point in roc.points() {
            let right = positives.iter().filter(|score| **score >= point.threshold).count();
            prop_assert_eq!(right as u64, point.true_positives.successes);
        }
        let at = roc.at_false_positive_rate(most);
        prop_assert!(share(at.false_positives) <= most);
        let fits = roc.points().iter().filter(|point| share(point.false_positives) <= most);
        prop_assert_eq!(at.true_positives.successes, fits.map(|p| p.true_positives.successes).max().unwrap());
        prop_assert!(roc.best().balanced_accuracy() >= 0.5);
    }

    #[test]
    fn an_exact_interval_mirrors_and_holds_its_estimate(
        (successes, trials) in (1u64..3000).prop_flat_map(|trials| (0..=trials, Just(trials))),
        confidence in 0.01..0.9999,
    ) {
        let interval = clopper_pearson(successes, trials, confidence);
        prop_assert!(0.0 <= interval.low && interval.high <= 1.0 && interval.width() > 0.0);
        prop_assert!(interval.contains(successes as f64 / trials as f64));
        let back = clopper_pearson(trials - successes, trials, confidence);
        prop_assert!((interval.low - (1.0 - back.high)).abs() < 1e-10);
        let alpha = 0.5 * (1.0 - confidence);
        prop_assert_eq!(interval.low, clopper_pearson_lower(successes, trials, alpha));
        prop_assert_eq!(interval.high, clopper_pearson_upper(successes, trials, alpha));
    }
}
