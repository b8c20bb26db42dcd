//! Against cleanlab (`golden/audit.py`).

use crucible_measure::Rows;
use crucible_measure::labels::ConfidentLearning;
use serde_json::Value;

use crate::support::{assert_all_near, labels, numbers};

#[test]
fn the_confident_joint_is_cleanlabs() {
    let golden: Value = serde_json::from_str(include_str!("../golden/audit.json")).unwrap();
    let case = &golden["labels"];
    let (probabilities, given) = (numbers(&case["probabilities"]), labels(&case["labels"]));
    let rows = Rows::new(&probabilities, case["classes"].as_u64().unwrap() as usize);
    let found = ConfidentLearning::new(rows, &given);
    let thresholds: Vec<f64> = found.thresholds.iter().map(|t| t.unwrap()).collect();
    assert_all_near(&thresholds, &numbers(&case["thresholds"]));
    assert_eq!(serde_json::to_value(&found.joint).unwrap(), case["joint"]);
    let suspects: Vec<usize> = found.suspects.iter().map(|s| s.example).collect();
    assert_eq!(suspects, labels(&case["suspects"]));
    let margins: Vec<f64> = found.suspects.iter().map(|s| s.margin).collect();
    assert_all_near(&margins, &numbers(&case["margins"]));
    let distribution = found.distribution(&given).unwrap();
    for (ours, theirs) in distribution.iter().zip(case["distribution"].as_array().unwrap()) {
        assert_all_near(ours, &numbers(theirs));
    }
    let diagonal: f64 = (0..distribution.len()).map(|i| distribution[i][i]).sum();
    assert!((found.noise(&given).unwrap() + diagonal - 1.0).abs() < 1e-12);
}

#[test]
fn only_classes_that_reach_their_threshold_count() {
    // The thresholds are 0.7, 0.3 and 0.2: the last row reaches two of them, but not that of its most probable class.
    let rows = [0.9, 0.05, 0.05, 0.5, 0.3, 0.2, 0.45, 0.3, 0.25, 0.5, 0.3, 0.2];
    let found = ConfidentLearning::new(Rows::new(&rows, 3), &[0, 0, 1, 2]);
    assert_eq!(found.joint, [[1, 1, 0], [0, 1, 0], [0, 1, 0]]);
    assert_eq!(found.suspects.len(), 2);
    let none = ConfidentLearning::new(Rows::new(&[], 2), &[]);
    assert_eq!((none.thresholds.clone(), none.noise(&[])), (vec![None, None], None));
    // A label that no confident example has stays what it is.
    let unsure = ConfidentLearning::new(Rows::new(&[0.9, 0.1], 2), &[0]);
    assert_eq!(unsure.distribution(&[0, 1]), Some(vec![vec![0.5, 0.0], vec![0.0, 0.5]]));
}
