//! What holds for every input, and what happens at the edges.

use crucible_measure::{Confusion, Interval, Mean, NotSquare, Proportion, regression, top_k, wilson};
use proptest::prelude::*;

fn confusion(classes: usize, pairs: &[(usize, usize)]) -> Confusion {
    let mut confusion = Confusion::new(classes);
    for &(actual, predicted) in pairs {
        confusion.record(actual, predicted);
    }
    confusion
}

fn proportion() -> impl Strategy<Value = Proportion> {
    (0..2_000_000u64)
        .prop_flat_map(|trials| (0..=trials, Just(trials)))
        .prop_map(|(successes, trials)| Proportion { successes, trials })
}

fn pairs(classes: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..classes, 0..classes), 0..60)
}

proptest! {
    #[test]
    fn wilson_holds_its_estimate_within_the_unit_interval(p in proportion(), confidence in 0.01..0.9999) {
        let interval = p.interval(confidence);
        prop_assert!(0.0 <= interval.low && interval.high <= 1.0);
        prop_assert!(interval.width() > 0.0);
        prop_assert!(p.estimate().is_none_or(|estimate| interval.contains(estimate)));
    }

    #[test]
    fn wilson_mirrors_when_success_and_failure_swap(p in proportion(), confidence in 0.01..0.9999) {
        let (there, back) = (p.interval(confidence), wilson(p.trials - p.successes, p.trials, confidence));
        prop_assert!((there.low - (1.0 - back.high)).abs() < 1e-12);
        prop_assert!((there.high - (1.0 - back.low)).abs() < 1e-12);
    }

    #[test]
    fn wilson_widens_with_confidence_and_narrows_with_evidence(p in proportion(), confidence in 0.01..0.99) {
        prop_assume!(p.trials > 0);
        let interval = p.interval(confidence);
        prop_assert!(p.interval(confidence + 0.005).width() > interval.width());
        prop_assert!(wilson(p.successes * 4, p.trials * 4, confidence).width() < interval.width());
    }

    #[test]
    fn permuting_classes_permutes_their_metrics(
        pairs in pairs(5),
        order in Just([0usize, 1, 2, 3, 4]).prop_shuffle(),
    ) {
        let plain = confusion(5, &pairs);
        let renamed: Vec<_> = pairs.iter().map(|&(a, p)| (order[a], order[p])).collect();
        let renamed = confusion(5, &renamed);
        prop_assert_eq!(plain.accuracy(), renamed.accuracy());
        for (class, &name) in order.iter().enumerate() {
            prop_assert_eq!(plain.class(class), renamed.class(name));
        }
        let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-12,
            _ => a == b,
        };
        prop_assert!(near(plain.macro_average().f1, renamed.macro_average().f1));
        prop_assert!(near(plain.weighted_average().precision, renamed.weighted_average().precision));
    }

    #[test]
    fn weighted_recall_is_accuracy_and_f1_lies_between_its_parts(pairs in pairs(4)) {
        let confusion = confusion(4, &pairs);
        match (confusion.weighted_average().recall, confusion.accuracy().estimate()) {
            (Some(recall), Some(accuracy)) => prop_assert!((recall - accuracy).abs() < 1e-12),
            (recall, accuracy) => prop_assert_eq!(recall, accuracy),
        }
        for class in confusion.per_class() {
            if let (Some(precision), Some(recall)) = (class.precision.estimate(), class.recall.estimate()) {
                let f1 = class.f1.unwrap();
                prop_assert!(precision.min(recall) - 1e-12 <= f1 && f1 <= precision.max(recall) + 1e-12);
            }
        }
    }

    #[test]
    fn merging_is_recording_everything_and_json_keeps_it(pairs in pairs(4), cut in 0..60usize) {
        let (left, right) = pairs.split_at(cut.min(pairs.len()));
        let mut merged = confusion(4, left);
        merged.merge(&confusion(4, right));
        let whole = confusion(4, &pairs);
        prop_assert_eq!(&merged, &whole);
        let read: Confusion = serde_json::from_str(&serde_json::to_string(&whole).unwrap()).unwrap();
        prop_assert_eq!(read, whole);
    }

    #[test]
    fn top_1_is_accuracy_by_first_argmax_and_grows_with_k(
        scores in prop::collection::vec((-3i8..3).prop_map(f32::from), 40),
        targets in prop::collection::vec(0..4usize, 10),
    ) {
        let first_maximum = |row: &[f32]| (0..4).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        let pairs: Vec<_> = scores.chunks(4).zip(&targets).map(|(row, &t)| (t, first_maximum(row))).collect();
        prop_assert_eq!(top_k(&scores, 4, &targets, 1), confusion(4, &pairs).accuracy());
        let hits: Vec<_> = (0..=5).map(|k| top_k(&scores, 4, &targets, k).successes).collect();
        prop_assert!(hits.is_sorted());
        prop_assert_eq!((hits[0], hits[4], hits[5]), (0, 10, 10));
    }

    #[test]
    fn regression_intervals_hold_their_means(
        samples in prop::collection::vec((-1e3f32..1e3, -1e3f32..1e3), 2..40),
        confidence in 0.01..0.999,
    ) {
        let (predictions, targets): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        let measured = regression(&predictions, &targets, confidence).unwrap();
        for error in [measured.mse, measured.rmse, measured.mae] {
            let interval = error.interval.unwrap();
            prop_assert!(interval.contains(error.value) && interval.low >= 0.0);
        }
        prop_assert!(measured.mae.value <= measured.rmse.value * (1.0 + 1e-12));
        prop_assert!(measured.r2.is_none_or(|r2| r2 <= 1.0));
    }

    #[test]
    fn a_resumed_mean_continues_bit_for_bit(values in prop::collection::vec(-1e6..1e6f64, 1..50), cut in 0..50usize) {
        let (before, after) = values.split_at(cut.min(values.len()));
        let (mut straight, mut stopped) = (Mean::default(), Mean::default());
        values.iter().for_each(|&v| straight.record(v));
        before.iter().for_each(|&v| stopped.record(v));
        let mut resumed: Mean = serde_json::from_str(&serde_json::to_string(&stopped).unwrap()).unwrap();
        after.iter().for_each(|&v| resumed.record(v));
        prop_assert_eq!(resumed.value().unwrap().to_bits(), straight.value().unwrap().to_bits());
        prop_assert_eq!(resumed.count(), values.len() as u64);
    }
}

#[test]
fn nothing_measured_is_nothing_known() {
    assert_eq!(wilson(0, 0, 0.95), Interval { low: 0.0, high: 1.0 });
    assert_eq!(Proportion { successes: 0, trials: 0 }.estimate(), None);
    let empty = Confusion::new(3);
    assert_eq!((empty.accuracy().estimate(), empty.macro_average().f1), (None, None));
    assert_eq!(empty.class(2).f1, None);
    assert_eq!(regression(&[], &[], 0.95), None);
    assert_eq!(top_k(&[], 10, &[], 5).trials, 0);
    let mut mean = Mean::default();
    mean.record_many(f64::NAN, 0);
    assert_eq!(mean.value(), None);
}

#[test]
fn undefined_is_none_and_a_class_never_answered_has_an_f1_of_zero() {
    let confusion = confusion(3, &[(0, 1), (1, 1)]);
    let never_answered = confusion.class(0);
    assert_eq!((never_answered.precision.estimate(), never_answered.recall.estimate()), (None, Some(0.0)));
    assert_eq!(never_answered.f1, Some(0.0));
    let absent = confusion.class(2);
    assert_eq!((absent.precision.estimate(), absent.recall.estimate(), absent.f1), (None, None, None));
}

#[test]
fn one_sample_has_an_error_without_an_interval() {
    let measured = regression(&[3.0], &[1.0], 0.95).unwrap();
    assert_eq!((measured.mse.value, measured.rmse.value, measured.mae.value), (4.0, 2.0, 2.0));
    assert_eq!((measured.mse.interval, measured.r2), (None, None));
}

#[test]
fn equal_targets_have_no_r2_however_their_mean_rounds() {
    assert_eq!(regression(&[0.0; 3], &[0.1; 3], 0.95).unwrap().r2, None);
    assert_eq!(regression(&[2.0, 2.0], &[1.0, 3.0], 0.95).unwrap().r2, Some(0.0));
}

#[test]
fn nan_is_passed_on_and_never_counts_as_right() {
    let measured = regression(&[f32::NAN, 1.0], &[0.0, 1.0], 0.95).unwrap();
    assert!(measured.mse.value.is_nan() && measured.mse.interval.unwrap().low.is_nan());
    assert!(measured.r2.unwrap().is_nan());
    assert_eq!(top_k(&[f32::NAN, 0.0, 1.0, f32::NAN], 2, &[0, 0], 1).successes, 0);
    let mut mean = Mean::default();
    mean.record(f64::NAN);
    let resumed: Mean = serde_json::from_str(&serde_json::to_string(&mean).unwrap()).unwrap();
    assert!(resumed.value().unwrap().is_nan());
}

#[test]
fn a_mean_weighs_batches_by_their_size() {
    let (mut mean, mut other) = (Mean::default(), Mean::default());
    mean.record_many(1.0, 3);
    other.record(5.0);
    mean.merge(&other);
    assert_eq!((mean.value(), mean.count()), (Some(2.0), 4));
}

#[test]
fn an_interval_is_an_array_of_two() {
    let interval = Interval { low: 0.25, high: 0.5 };
    assert_eq!(serde_json::to_string(&interval).unwrap(), "[0.25,0.5]");
    assert_eq!(serde_json::from_str::<Interval>("[0.25,0.5]").unwrap(), interval);
}

#[test]
fn rows_that_are_not_square_are_refused() {
    assert_eq!(Confusion::try_from(vec![vec![1, 2], vec![3]]), Err(NotSquare { rows: 2, row_len: 1 }));
    assert!(serde_json::from_str::<Confusion>("[[1,2]]").is_err());
}

#[test]
#[should_panic(expected = "labels 3, 0 of 3 classes")]
fn a_label_out_of_range_panics_rather_than_land_in_another_cell() {
    Confusion::new(3).record(3, 0);
}

#[test]
#[should_panic(expected = "5 successes among 4 trials")]
fn more_successes_than_trials_panic() {
    wilson(5, 4, 0.95);
}
