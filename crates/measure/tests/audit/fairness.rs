//! Against Fairlearn, AIF360 and statsmodels (`golden/fairness.py`).

use crucible_measure::calibration::{Binning, Forecasts};
use crucible_measure::fairness::{
    Comparison, Disparity, Groups, Outcomes, Rate, between_groups_entropy, calibration_by_group,
    count_labels, count_outcomes, disparity, equalized_odds, generalized_entropy, one_against_rest,
    rate_difference, rate_ratio, reweighing, theil_index,
};
use crucible_measure::{Bootstrap, Proportion};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::{assert_all_near, assert_near, labels, number, numbers};

pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/fairness.json")).unwrap()
}

pub(crate) fn flags(value: &Value) -> Vec<bool> {
    labels(value).into_iter().map(|label| label == 1).collect()
}

/// Every group counts.
const ALL: Comparison = Comparison { least: 1, confidence: 0.95 };

fn outcomes(golden: &Value) -> Vec<Outcomes> {
    let groups = Groups::new(labels(&golden["groups"]), 3);
    count_outcomes(&groups, &flags(&golden["actual"]), &flags(&golden["predicted"]))
}

#[test]
fn rates_and_gaps_are_fairlearns() {
    let golden = golden();
    let outcomes = outcomes(&golden);
    for (rate, name) in [
        (Rate::Selection, "selection"),
        (Rate::TruePositive, "true_positive"),
        (Rate::FalsePositive, "false_positive"),
        (Rate::FalseNegative, "false_negative"),
        (Rate::Precision, "precision"),
        (Rate::Accuracy, "accuracy"),
    ] {
        let Disparity { groups, gap, .. } = disparity(rate, &outcomes, ALL);
        let shares: Vec<f64> = groups.iter().map(|group| group.share.estimate().unwrap()).collect();
        assert_all_near(&shares, &numbers(&golden[name]["by_group"]));
        let gap = gap.unwrap();
        assert_near(gap.difference.value, number(&golden[name]["difference"]));
        assert_near(gap.ratio.unwrap().value, number(&golden[name]["ratio"]));
        assert!(gap.difference.interval.unwrap().contains(gap.difference.value));
        assert!(gap.ratio.unwrap().interval.unwrap().contains(gap.ratio.unwrap().value));
    }
    let odds = equalized_odds(&outcomes, ALL).unwrap();
    assert_all_near(&[odds.difference.value, odds.ratio.unwrap().value], &numbers(&golden["equalized_odds"]));
}

#[test]
fn signed_differences_and_entropies_are_aif360s() {
    let golden = golden();
    let theirs = |name: &str| number(&golden["aif360"][name]);
    let outcomes = outcomes(&golden);
    let difference =
        |rate: Rate| rate_difference(rate.of(&outcomes[1]), rate.of(&outcomes[0]), 0.95).unwrap().value;
    assert_near(difference(Rate::Selection), theirs("statistical_parity"));
    assert_near(difference(Rate::TruePositive), theirs("equal_opportunity"));
    let odds = 0.5 * (difference(Rate::TruePositive) + difference(Rate::FalsePositive));
    assert_near(odds, theirs("average_odds"));
    let ratio = rate_ratio(Rate::Selection.of(&outcomes[1]), Rate::Selection.of(&outcomes[0]), 0.95);
    assert_near(ratio.unwrap().value, theirs("disparate_impact"));

    let kept: Vec<usize> = (0..600).filter(|i| labels(&golden["groups"])[*i] < 2).collect();
    let of = |name: &str| kept.iter().map(|i| flags(&golden[name])[*i]).collect::<Vec<bool>>();
    let (actual, predicted) = (of("actual"), of("predicted"));
    let groups = Groups::new(kept.iter().map(|i| labels(&golden["groups"])[*i]).collect(), 2);
    assert_near(theil_index(&actual, &predicted).unwrap(), theirs("theil"));
    assert_near(generalized_entropy(&actual, &predicted, 2.0).unwrap(), theirs("entropy_2"));
    assert_near(generalized_entropy(&actual, &predicted, 3.0).unwrap(), theirs("entropy_3"));
    assert_near(between_groups_entropy(&groups, &actual, &predicted, 2.0).unwrap(), theirs("between_2"));

    let classes: Vec<usize> = actual.iter().map(|a| usize::from(*a)).collect();
    assert_all_near(&reweighing(&groups, &classes, 2), &numbers(&golden["aif360"]["weights"]));
}

#[test]
fn entropies_at_the_edges() {
    // Benefits 1, 1, 2: μ is 4/3.
    let (actual, predicted) = ([false, true, false], [false, true, true]);
    let logs = -(2.0 * 0.75f64.ln() + 1.5f64.ln()) / 3.0;
    assert_near(generalized_entropy(&actual, &predicted, 0.0).unwrap(), logs);
    assert_eq!(generalized_entropy(&[true, true], &[false, true], 0.0), Some(f64::INFINITY));
    assert_near(theil_index(&[true, true], &[false, true]).unwrap(), 2f64.ln());
    assert_eq!(theil_index(&[true], &[false]), None);
    assert_eq!(theil_index(&[], &[]), None);
    assert_eq!(generalized_entropy(&[true, false], &[true, false], 2.0), Some(0.0));
}

#[test]
fn intervals_of_differences_are_statsmodels() {
    for case in golden()["newcombe"].as_array().unwrap() {
        let counts = labels(&case["counts"]);
        let share = |at: usize| Proportion { successes: counts[at] as u64, trials: counts[at + 1] as u64 };
        let found = rate_difference(share(0), share(2), number(&case["confidence"])).unwrap();
        let interval = found.interval.unwrap();
        assert_all_near(&[interval.low, interval.high], &numbers(&case["interval"]));
    }
}

/// Base rates of Adult's 32,561 training rows: 1,179 of 10,771 women and 6,662 of 21,790 men earn above 50K.
#[test]
fn the_labels_of_adult_are_as_unequal_as_known() {
    let sex: Vec<usize> = [vec![0; 10_771], vec![1; 21_790]].concat();
    let income = [vec![true; 1179], vec![false; 9592], vec![true; 6662], vec![false; 15_128]].concat();
    let outcomes = count_labels(&Groups::new(sex.clone(), 2), &income);
    let [women, men] = [0, 1].map(|sex| Rate::Label.of(&outcomes[sex]));
    let difference = rate_difference(women, men, 0.95).unwrap();
    assert!((difference.value - -0.196_276).abs() < 5e-7);
    let ratio = rate_ratio(women, men, 0.95).unwrap();
    assert!((ratio.value - 0.358_023).abs() < 5e-7);
    let interval = ratio.interval.unwrap();
    // ln(p/q) ± 1.96 √((1 − p)/np + (1 − q)/mq), which is near for so many.
    let error = (1.0f64 / 1179.0 - 1.0 / 10_771.0 + 1.0 / 6662.0 - 1.0 / 21_790.0).sqrt();
    assert!((interval.low.ln() - (ratio.value.ln() - 1.96 * error)).abs() < 1e-3);
    assert!((interval.high.ln() - (ratio.value.ln() + 1.96 * error)).abs() < 1e-3);

    let gap = disparity(Rate::Label, &outcomes, Comparison::default()).gap.unwrap();
    assert_near(gap.difference.value, -difference.value);
    assert_near(gap.ratio.unwrap().value, ratio.value);
    let classes: Vec<usize> = income.iter().map(|high| usize::from(*high)).collect();
    assert_eq!(one_against_rest(&classes, 1), income);
    let weights = reweighing(&Groups::new(sex, 2), &classes, 2);
    let weighed = |from: usize, to: usize| {
        let of = |only: bool| (from..to).filter(|i| !only || income[*i]).map(|i| weights[i]).sum::<f64>();
        of(true) / of(false)
    };
    assert_near(weighed(0, 10_771), weighed(10_771, 32_561));
}

/// German Credit: 110 of 190 up to 25 years old are good risks, and 590 of 810 older ones.
#[test]
fn the_labels_of_german_credit_are_as_unequal_as_known() {
    let young = Proportion { successes: 110, trials: 190 };
    let older = Proportion { successes: 590, trials: 810 };
    assert!((rate_difference(young, older, 0.95).unwrap().value - -0.149_448).abs() < 5e-7);
    assert!((rate_ratio(young, older, 0.95).unwrap().value - 0.794_826).abs() < 5e-7);
}

#[test]
fn small_groups_are_flagged_and_left_out() {
    let outcomes = |positive: u64, negative: u64| Outcomes {
        true_positives: positive,
        false_negatives: negative,
        ..Outcomes::default()
    };
    let counts = [outcomes(50, 50), outcomes(40, 60), outcomes(0, 5), outcomes(0, 0)];
    let found = disparity(Rate::TruePositive, &counts, Comparison::default());
    let flags: Vec<bool> = found.groups.iter().map(|group| group.too_small).collect();
    assert_eq!(flags, [false, false, true, true]);
    assert_near(found.gap.unwrap().difference.value, 0.1);
    assert_eq!(disparity(Rate::TruePositive, &counts[1..], Comparison::default()).gap, None);
    assert_eq!(equalized_odds(&counts[2..], Comparison::default()), None);
    // The small group may count if asked to, and then the interval is wide.
    let gap = disparity(Rate::TruePositive, &counts, ALL).gap.unwrap();
    assert_eq!((gap.difference.value, gap.ratio.unwrap().value), (0.5, 0.0));
    assert!(gap.difference.interval.unwrap().width() > 0.4);
    let never = disparity(Rate::FalsePositive, &counts, ALL);
    assert_eq!(never.gap, None);
    let zero = disparity(Rate::Selection, &[outcomes(0, 50), outcomes(0, 50)], ALL).gap.unwrap();
    assert_eq!((zero.difference.value, zero.ratio), (0.0, None));
    assert_eq!(
        rate_difference(Proportion { successes: 0, trials: 0 }, Proportion { successes: 1, trials: 2 }, 0.95),
        None
    );
}

#[test]
fn an_interval_of_the_gap_holds_the_truth_for_many_equal_groups() {
    // Six groups of 60 with the same rate: the largest difference is 0.19 on average, and truly 0.
    let held = (0..200).filter(|seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(*seed);
        let groups = Groups::new((0..360).map(|i| i % 6).collect(), 6);
        let called: Vec<bool> = (0..360).map(|_| rng.random::<f64>() < 0.4).collect();
        let outcomes = count_labels(&groups, &called);
        let gap = disparity(Rate::Selection, &outcomes, ALL).gap.unwrap();
        let (difference, ratio) = (gap.difference.interval.unwrap(), gap.ratio.unwrap().interval.unwrap());
        difference.contains(0.0) && ratio.contains(1.0)
    });
    let held = held.count();
    assert!(held >= 186, "{held} of 200");
}

#[test]
fn groups_intersect_in_a_known_order() {
    let sex = Groups::new(vec![0, 1, 1, 0], 2);
    let race = Groups::new(vec![2, 0, 2, 2], 3);
    let both = Groups::intersect(&[sex, race]);
    assert_eq!((both.labels(), both.count()), (&[2, 3, 5, 2][..], 6));
    assert_eq!((both.members(2), both.members(1)), (vec![0, 3], vec![]));
}

#[test]
fn calibration_within_groups_finds_the_one_that_is_off() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let groups = Groups::new((0..4000).map(|i| i % 2).collect(), 3);
    let probabilities: Vec<f64> = (0..4000).map(|_| rng.random_range(0.2..0.8)).collect();
    let happens = |(i, p): (usize, &f64)| rng.random::<f64>() < if i % 2 == 0 { *p } else { p - 0.15 };
    let outcomes = probabilities.iter().enumerate().map(happens).collect();
    let forecasts = Forecasts::new(probabilities.clone(), outcomes).unwrap();
    let bootstrap = Bootstrap { resamples: 200, confidence: 0.95 };
    let found = calibration_by_group(&groups, &forecasts, Binning::EqualMass(10), bootstrap, &mut rng);
    let interval = |group: usize| found[group].unwrap().interval.unwrap();
    assert!(interval(0).high < interval(1).low, "{found:?}");
    assert!(interval(1).contains(0.15));
    assert_eq!(found[2], None);
}
