//! Against scikit-learn and numpy (`golden/detection.py`).

use crucible_measure::detection::{
    Detection, Mahalanobis, NearestNeighbours, Vim, energy, entropy, margin, max_softmax,
};
use crucible_measure::{Bootstrap, NoRoc, Rows, softmax};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::{assert_all_near, assert_near, labels, number, numbers};

const FEW: Bootstrap = Bootstrap { resamples: 100, confidence: 0.95 };

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/detection.json")).unwrap()
}

#[test]
fn areas_and_false_positives_are_scikit_learns() {
    for case in golden()["curves"].as_array().unwrap() {
        let (positives, negatives) = (numbers(&case["positives"]), numbers(&case["negatives"]));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let found = Detection::measure(&positives, &negatives, FEW, &mut rng).unwrap();
        let all = [
            (found.auroc, "auroc"),
            (found.aupr, "aupr"),
            (found.aupr_of_negatives, "aupr_of_negatives"),
            (found.false_positives_at_95, "fpr"),
        ];
        for (estimate, name) in all {
            assert_near(estimate.value, number(&case[name]));
            assert!(
                estimate.interval.is_none_or(|i| i.contains(estimate.value)),
                "{name} of {}",
                case["name"]
            );
        }
    }
}

#[test]
fn an_interval_by_resampling_holds_the_known_share() {
    // Scores uniform on [0, 1], and on [0.5, 1.5] of positives: 95% of these lie above 0.55, and 45% of negatives.
    let held = (0..100).filter(|seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(*seed);
        let negatives: Vec<f64> = (0..400).map(|_| rng.random()).collect();
        let positives: Vec<f64> = (0..300).map(|_| 0.5 + rng.random::<f64>()).collect();
        let found = Detection::measure(&positives, &negatives, FEW, &mut rng).unwrap();
        found.false_positives_at_95.interval.unwrap().contains(0.45)
    });
    let held = held.count();
    assert!(held >= 88, "{held} of 100");
}

#[test]
fn scores_from_answers_are_scipys() {
    let golden = golden();
    let classes = golden["classes"].as_u64().unwrap() as usize;
    let logits = numbers(&golden["fresh_logits"]);
    let logits = Rows::new(&logits, classes);
    let probabilities = softmax(logits, 1.0);
    let rows = Rows::new(&probabilities, classes);
    assert_all_near(&max_softmax(rows), &numbers(&golden["max_softmax"]));
    assert_all_near(&entropy(rows), &numbers(&golden["entropy"]));
    assert_all_near(&margin(rows), &numbers(&golden["margin"]));
    assert_all_near(&energy(logits, number(&golden["temperature"])), &numbers(&golden["energy"]));
    assert_eq!(entropy(Rows::new(&[1.0, 0.0], 2)), [0.0]);
}

#[test]
fn scores_from_features_are_those_of_numpy() {
    let golden = golden();
    let size = |name: &str| golden[name].as_u64().unwrap() as usize;
    let (classes, width) = (size("classes"), size("width"));
    let (features, fresh) = (numbers(&golden["features"]), numbers(&golden["fresh"]));
    let (features, fresh) = (Rows::new(&features, width), Rows::new(&fresh, width));

    let mahalanobis = Mahalanobis::fit(features, &labels(&golden["labels"]), 0.0).unwrap();
    assert_all_near(&mahalanobis.scores(fresh), &numbers(&golden["mahalanobis"]));
    let neighbours = NearestNeighbours::fit(features, size("k")).unwrap();
    assert_all_near(&neighbours.scores(fresh), &numbers(&golden["neighbours"]));

    let (weights, bias) = (numbers(&golden["weights"]), numbers(&golden["bias"]));
    let logits = numbers(&golden["fresh_logits"]);
    let vim = Vim::fit(features, Rows::new(&weights, width), &bias, size("principal")).unwrap();
    assert_all_near(&vim.scores(fresh, Rows::new(&logits, classes)), &numbers(&golden["vim"]));
}

#[test]
fn degenerate_features_have_no_detector_or_a_ridge() {
    let flat = [1.0, 2.0, 1.0, 3.0, 1.0, 5.0];
    let flat = Rows::new(&flat, 2);
    assert_eq!(Mahalanobis::fit(flat, &[0, 0, 0], 0.0), None);
    let found = Mahalanobis::fit(flat, &[0, 0, 2], 1e-6).unwrap().scores(Rows::new(&[1.0, 5.0, 2.0, 5.0], 2));
    assert!(found[0] < 1e-9 && found[1] > 1e3, "{found:?}");
    assert_eq!(Mahalanobis::fit(Rows::new(&[], 2), &[], 1e-6), None);
    assert_eq!(NearestNeighbours::fit(flat, 4), None);
    assert!(Vim::fit(Rows::new(&[], 2), flat, &[0.0; 3], 1).is_none());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let none = Detection::measure(&[], &[1.0], FEW, &mut rng);
    assert_eq!(none, Err(NoRoc::Empty { positives: 0, negatives: 1 }));
    let constant = Detection::measure(&[1.0; 9], &[1.0; 5], FEW, &mut rng).unwrap();
    assert_eq!((constant.auroc.value, constant.auroc.interval), (0.5, None));
}
