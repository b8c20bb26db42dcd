//! What holds for every input.

use crucible_measure::calibration::{
    Binning, Forecasts, Isotonic, IsotonicCurve, class_wise_calibration_error,
};
use crucible_measure::conformal::{Conformal, Score};
use crucible_measure::fairness::thresholds::{GroupThresholds, Parity, RandomizedThresholds, Scored};
use crucible_measure::fairness::{
    Comparison, Groups, Rate, count_outcomes, disparity, generalized_entropy, rate_difference, rate_ratio,
};
use crucible_measure::selective::RiskCoverage;
use crucible_measure::{Proportion, Rows, softmax};
use proptest::prelude::*;

const CLASSES: usize = 3;

/// Probabilities with ties, and labels.
fn answers() -> impl Strategy<Value = (Vec<f64>, Vec<usize>)> {
    prop::collection::vec(([-3i8..4, -3..4, -3..4], 0..CLASSES), 1..60).prop_map(|examples| {
        let logits: Vec<f64> = examples.iter().flat_map(|(z, _)| z.map(f64::from)).collect();
        (softmax(Rows::new(&logits, CLASSES), 1.0), examples.into_iter().map(|(_, label)| label).collect())
    })
}

fn proportion() -> impl Strategy<Value = Proportion> {
    (1..5000u64)
        .prop_flat_map(|trials| (0..=trials, Just(trials)))
        .prop_map(|(successes, trials)| Proportion { successes, trials })
}

/// Whether examples are positive, are called so, and their group and score.
fn people() -> impl Strategy<Value = Vec<(bool, bool, usize, i8)>> {
    prop::collection::vec((any::<bool>(), any::<bool>(), 0..3usize, -4i8..5), 1..80)
}

proptest! {
    #[test]
    fn calibration_errors_lie_in_order((probabilities, labels) in answers(), bins in 1..20usize) {
        let rows = Rows::new(&probabilities, CLASSES);
        let top = Forecasts::top_label(rows, &labels).unwrap();
        let backwards: Vec<usize> = (0..labels.len()).rev().collect();
        for binning in [Binning::EqualWidth(bins), Binning::EqualMass(bins)] {
            let error = top.expected_calibration_error(binning).unwrap();
            prop_assert!((0.0..=1.0).contains(&error));
            prop_assert!(error <= top.maximum_calibration_error(binning).unwrap() + 1e-12);
            let members: u64 = top.bins(binning).iter().map(|bin| bin.happened.trials).sum();
            prop_assert_eq!(members, labels.len() as u64);
            let turned = top.at(&backwards).expected_calibration_error(binning).unwrap();
            prop_assert!((turned - error).abs() < 1e-12);
            let class_wise = class_wise_calibration_error(rows, &labels, binning).unwrap();
            prop_assert!((0.0..=1.0).contains(&class_wise));
        }
    }

    #[test]
    fn isotonic_regression_calibrates_what_it_is_fitted_to((probabilities, labels) in answers()) {
        let rows = Rows::new(&probabilities, CLASSES);
        let forecasts = Forecasts::of_class(rows, &labels, 0).unwrap();
        let curve = IsotonicCurve::fit(&forecasts).unwrap();
        let calibrated = forecasts.probabilities().iter().map(|p| curve.at(*p)).collect();
        let calibrated = Forecasts::new(calibrated, forecasts.outcomes().to_vec()).unwrap();
        // The mean of each pool is the share in it.
        let error = calibrated.expected_calibration_error(Binning::EqualMass(1)).unwrap();
        prop_assert!(error < 1e-12, "{}", error);
        prop_assert!(curve.points().windows(2).all(|p| p[0][0] < p[1][0] && p[0][1] <= p[1][1]));
        let applied = Isotonic::fit(rows, &labels).unwrap().apply(rows);
        let sums = Rows::new(&applied, CLASSES).iter().map(|row| row.iter().sum::<f64>());
        prop_assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-12));
    }

    #[test]
    fn sets_cover_the_examples_they_are_calibrated_on((probabilities, labels) in answers(), alpha in 0.05..0.95) {
        let rows = Rows::new(&probabilities, CLASSES);
        for score in [Score::Lac, Score::Aps, Score::Raps { lambda: 0.1, k_reg: 1 }] {
            let fitted = Conformal::calibrate(score, rows, &labels, alpha, None);
            let covered = fitted.sets(rows, None).coverage(&labels);
            let needed = ((labels.len() + 1) as f64 * (1.0 - alpha) - 1e-9).ceil() as u64;
            prop_assert!(covered.successes >= needed.min(labels.len() as u64));
        }
    }

    #[test]
    fn no_confidence_is_better_than_the_best(examples in prop::collection::vec((-3i8..4, any::<bool>()), 1..60)) {
        let (confidences, correct): (Vec<f64>, Vec<bool>) =
            examples.into_iter().map(|(confidence, correct)| (f64::from(confidence), correct)).unzip();
        let curve = RiskCoverage::new(&confidences, &correct).unwrap();
        prop_assert!(curve.excess_area() >= -1e-12 && curve.area() <= 1.0 + 1e-12);
        let perfect: Vec<f64> = correct.iter().map(|correct| f64::from(u8::from(*correct))).collect();
        let best = RiskCoverage::new(&perfect, &correct).unwrap();
        prop_assert!(best.excess_area().abs() < 1e-12);
    }

    #[test]
    fn differences_mirror_and_ratios_invert(a in proportion(), b in proportion(), confidence in 0.5..0.999) {
        let interval = |e: crucible_measure::Estimate| e.interval.unwrap();
        let (there, back) = (rate_difference(a, b, confidence).unwrap(), rate_difference(b, a, confidence).unwrap());
        prop_assert!((interval(there).low + interval(back).high).abs() < 1e-12);
        prop_assert!(interval(there).contains(there.value) && interval(there).low >= -1.0 - 1e-12);
        if let (Some(there), Some(back)) = (rate_ratio(a, b, confidence), rate_ratio(b, a, confidence)) {
            prop_assert!(interval(there).contains(there.value));
            prop_assert!((interval(there).low * interval(back).high - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn gaps_hold_their_values(people in people()) {
        let groups = Groups::new(people.iter().map(|p| p.2).collect(), 3);
        let column = |of: fn(&(bool, bool, usize, i8)) -> bool| people.iter().map(of).collect::<Vec<bool>>();
        let (actual, predicted) = (column(|p| p.0), column(|p| p.1));
        let outcomes = count_outcomes(&groups, &actual, &predicted);
        let how = Comparison { least: 1, confidence: 0.9 };
        for rate in [Rate::Selection, Rate::TruePositive, Rate::FalsePositive, Rate::Precision, Rate::Accuracy] {
            let Some(gap) = disparity(rate, &outcomes, how).gap else { continue };
            prop_assert!(gap.difference.interval.unwrap().contains(gap.difference.value));
            prop_assert!((0.0..=1.0).contains(&gap.difference.value));
            if let Some(ratio) = gap.ratio {
                prop_assert!(ratio.interval.unwrap().contains(ratio.value) && ratio.value <= 1.0);
            }
        }
        for alpha in [0.5, 1.0, 2.0] {
            prop_assert!(generalized_entropy(&actual, &predicted, alpha).is_none_or(|e| e >= -1e-12));
        }
    }

    #[test]
    fn thresholds_keep_the_tolerance_and_chance_costs_less(people in people(), tolerance in 0.0..0.5) {
        let groups = Groups::new(people.iter().map(|p| p.2).collect(), 3);
        let actual: Vec<bool> = people.iter().map(|p| p.0).collect();
        let scores: Vec<f64> = people.iter().map(|p| f64::from(p.3)).collect();
        let on = Scored { scores: &scores, actual: &actual, groups: &groups };
        for parity in [Parity::Demographic, Parity::EqualOpportunity, Parity::EqualizedOdds] {
            let Ok(found) = GroupThresholds::frontier(on, parity, &[0.0, tolerance]) else { return Ok(()) };
            prop_assert!(found[0].gap <= 1e-9 && found[1].gap <= tolerance + 1e-9);
            prop_assert!(found[1].accuracy >= found[0].accuracy && found[1].cost >= 0.0);
            let mixed = RandomizedThresholds::fit(on, parity).unwrap();
            prop_assert!(mixed.accuracy >= found[0].accuracy - 1e-12);
            prop_assert!(mixed.probabilities(&scores, &groups).iter().all(|p| (-1e-12..=1.0 + 1e-12).contains(p)));
        }
    }
}

#[test]
fn answers_that_are_no_numbers_promise_nothing() {
    let rows = [f64::NAN, f64::NAN, 0.5, 0.5, 0.8, 0.2];
    let rows = Rows::new(&rows, 2);
    assert_eq!(Forecasts::top_label(rows, &[0, 1, 0]), None);
    assert_eq!(class_wise_calibration_error(rows, &[0, 1, 0], Binning::EqualWidth(5)), None);
    let found = Conformal::calibrate(Score::Lac, rows, &[0, 1, 0], 0.25, None);
    assert_eq!((found.threshold, found.sets(rows, None).set(0)), (f64::INFINITY, vec![0, 1]));
}
