//! Thresholds by group against Fairlearn (`golden/fairness.py`) and against trying all of them.

use crucible_measure::fairness::thresholds::{
    GroupThresholds, NoThresholds, Parity, RandomizedThresholds, Scored,
};
use crucible_measure::fairness::{Groups, Rate, count_outcomes};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::fairness::{flags, golden};
use crate::support::{assert_all_near, assert_near, labels, number, numbers};

const PARITIES: [Parity; 3] = [Parity::Demographic, Parity::EqualOpportunity, Parity::EqualizedOdds];

#[test]
fn mixtures_are_fairlearns_and_the_best_are_no_worse() {
    let golden = golden();
    let (scores, actual) = (numbers(&golden["scores"]), flags(&golden["actual"]));
    let groups = Groups::new(labels(&golden["groups"]), 3);
    let examples = Scored { scores: &scores, actual: &actual, groups: &groups };
    for case in golden["thresholds"].as_array().unwrap() {
        let parity: Parity = serde_json::from_value(case["parity"].clone()).unwrap();
        // It tries a thousand targets; at its best one, ours are the same.
        let same = RandomizedThresholds::at(examples, parity, number(&case["target"])).unwrap();
        assert_all_near(&same.probabilities(&scores, &groups), &numbers(&case["probabilities"]));
        assert_near(same.accuracy, number(&case["accuracy"]));
        let best = RandomizedThresholds::fit(examples, parity).unwrap();
        assert!((same.accuracy..same.accuracy + 1e-3).contains(&best.accuracy), "{parity:?}: {best:?}");
        assert_parity(&best, parity, examples);
    }
}

/// The expected rates are equal, and the accuracy is what it says.
#[track_caller]
fn assert_parity(found: &RandomizedThresholds, parity: Parity, on: Scored<'_>) {
    let probabilities = found.probabilities(on.scores, on.groups);
    let right = |i: usize| if on.actual[i] { probabilities[i] } else { 1.0 - probabilities[i] };
    let all = on.scores.len();
    assert_near((0..all).map(right).sum::<f64>() / all as f64, found.accuracy);
    let mean = |group: usize, keep: &dyn Fn(usize) -> bool| {
        let members = on.groups.members(group).into_iter().filter(|i| keep(*i));
        let kept: Vec<f64> = members.map(|i| probabilities[i]).collect();
        kept.iter().sum::<f64>() / kept.len() as f64
    };
    for group in 0..on.groups.count() {
        match parity {
            Parity::Demographic => assert_near(mean(group, &|_| true), found.target),
            Parity::EqualOpportunity => assert_near(mean(group, &|i| on.actual[i]), found.target),
            Parity::EqualizedOdds => {
                assert_near(mean(group, &|i| !on.actual[i]), found.target);
                assert_near(mean(group, &|i| on.actual[i]), mean(0, &|i| on.actual[i]));
            }
        }
    }
}

/// Scores of 24 examples in two groups.
fn small(seed: u64) -> (Vec<f64>, Vec<bool>, Groups) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let actual: Vec<bool> = (0..24).map(|i| i < 4 || rng.random::<f64>() < 0.4).collect();
    let score = |a: &bool| f64::from(rng.random_range(0..9)) + if *a { 2.0 } else { 0.0 };
    let scores = actual.iter().map(score).collect();
    let labels = (0..24).map(|i| usize::from(i % 2 == 0 || i > 18)).collect();
    (scores, actual, Groups::new(labels, 2))
}

fn measured(thresholds: [f64; 2], parity: Parity, on: Scored<'_>) -> (f64, f64) {
    let called: Vec<bool> =
        on.scores.iter().zip(on.groups.labels()).map(|(score, group)| *score >= thresholds[*group]).collect();
    let outcomes = count_outcomes(on.groups, on.actual, &called);
    let gap = |rate: Rate| {
        let [a, b] = [0, 1].map(|group| rate.of(&outcomes[group]).estimate().unwrap());
        (a - b).abs()
    };
    let gap = match parity {
        Parity::Demographic => gap(Rate::Selection),
        Parity::EqualOpportunity => gap(Rate::TruePositive),
        Parity::EqualizedOdds => gap(Rate::TruePositive).max(gap(Rate::FalsePositive)),
    };
    let right = called.iter().zip(on.actual).filter(|(called, actual)| called == actual).count();
    (right as f64 / called.len() as f64, gap)
}

#[test]
fn deterministic_thresholds_are_the_best_of_all() {
    for seed in 0..20 {
        let (scores, actual, groups) = small(seed);
        let on = Scored { scores: &scores, actual: &actual, groups: &groups };
        let tried: Vec<f64> = (0..12).map(f64::from).chain([f64::INFINITY]).collect();
        for parity in PARITIES {
            let tolerances = [0.0, 0.05, 0.2, 1.0];
            let frontier = GroupThresholds::frontier(on, parity, &tolerances).unwrap();
            for (found, tolerance) in frontier.iter().zip(tolerances) {
                let all = tried.iter().flat_map(|a| tried.iter().map(move |b| [*a, *b]));
                let kept =
                    all.map(|pair| measured(pair, parity, on)).filter(|(_, gap)| *gap <= tolerance + 1e-9);
                let best = kept.map(|(accuracy, _)| accuracy).fold(0.0, f64::max);
                assert_near(found.accuracy, best);
                let (accuracy, gap) = measured([found.thresholds[0], found.thresholds[1]], parity, on);
                assert_near(accuracy, found.accuracy);
                assert_near(gap, found.gap);
                assert_near(found.cost, frontier[3].accuracy - found.accuracy);
            }
            let mixed = RandomizedThresholds::fit(on, parity).unwrap();
            assert!(mixed.accuracy >= frontier[0].accuracy - 1e-12, "{seed}, {parity:?}");
            assert_parity(&mixed, parity, on);
        }
    }
}

#[test]
fn many_examples_are_thinned_and_still_near_parity() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let labels: Vec<usize> = (0..6000).map(|i| i % 3).collect();
    let actual: Vec<bool> = labels.iter().map(|g| rng.random::<f64>() < [0.5, 0.3, 0.2][*g]).collect();
    let scores: Vec<f64> = actual.iter().map(|a| rng.random::<f64>() + if *a { 0.4 } else { 0.0 }).collect();
    let groups = Groups::new(labels, 3);
    let on = Scored { scores: &scores, actual: &actual, groups: &groups };
    for parity in PARITIES {
        let found = GroupThresholds::fit(on, parity, 0.02).unwrap();
        assert!(found.gap <= 0.02 + 1e-9 && found.cost >= 0.0);
        let mixed = RandomizedThresholds::fit(on, parity).unwrap();
        assert!((found.accuracy - mixed.accuracy).abs() < 0.02, "{parity:?}: {found:?}, {}", mixed.accuracy);
        let called = found.apply(&scores, &groups);
        let right = called.iter().zip(&actual).filter(|(called, actual)| called == actual).count();
        assert_near(right as f64 / 6000.0, found.accuracy);
    }
}

#[test]
fn groups_without_rates_are_named() {
    let groups = Groups::new(vec![0, 0, 1], 2);
    let with = |scores: [f64; 3]| {
        let on = Scored { scores: &scores, actual: &[true, false, true], groups: &groups };
        GroupThresholds::fit(on, Parity::Demographic, 0.1).map(|_| ())
    };
    assert_eq!(with([1.0, 0.0, 1.0]), Err(NoThresholds::OneClass { group: 1 }));
    assert_eq!(with([1.0, f64::NAN, 1.0]), Err(NoThresholds::NotANumber));
    let none = Groups::new(Vec::new(), 0);
    let on = Scored { scores: &[], actual: &[], groups: &none };
    assert_eq!(RandomizedThresholds::fit(on, Parity::EqualizedOdds), Err(NoThresholds::NoGroups));
}
