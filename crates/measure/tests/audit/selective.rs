//! Against the definition in numpy (`golden/audit.py`).

use crucible_measure::selective::{RiskCoverage, area_interval};
use crucible_measure::{Bootstrap, Proportion};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::{assert_near, labels, number, numbers};

#[test]
fn areas_are_those_of_numpy() {
    let golden: Value = serde_json::from_str(include_str!("../golden/audit.json")).unwrap();
    let case = &golden["selective"];
    let confidences = numbers(&case["confidence"]);
    let correct: Vec<bool> = labels(&case["correct"]).into_iter().map(|c| c == 1).collect();
    let curve = RiskCoverage::new(&confidences, &correct).unwrap();
    assert_near(curve.area(), number(&case["area"]));
    assert_near(curve.excess_area(), number(&case["excess"]));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let bootstrap = Bootstrap { resamples: 200, confidence: 0.95 };
    let interval = area_interval(&confidences, &correct, bootstrap, &mut rng).unwrap();
    assert!(interval.contains(curve.area()) && interval.width() < 0.1, "{interval:?}");
}

#[test]
fn equal_confidences_are_one_point_and_their_order_does_not_matter() {
    let curve = RiskCoverage::new(&[0.9, 0.5, 0.5, 0.5], &[true, true, false, false]).unwrap();
    assert_eq!(curve.points().len(), 2);
    // Of the three, 2/3 of each are wrong: risks 0, (2/3)/2, (4/3)/3, 2/4.
    assert_near(curve.area(), (1.0 / 3.0 + 4.0 / 9.0 + 0.5) / 4.0);
    // At best the wrong ones are last: 0, 0, 1/3, 2/4.
    assert_near(curve.excess_area(), curve.area() - (1.0 / 3.0 + 0.5) / 4.0);
    assert_eq!(curve.at_coverage(0.25).accuracy, Proportion { successes: 1, trials: 1 });
    assert_eq!(curve.at_coverage(0.3).coverage, Proportion { successes: 4, trials: 4 });
    assert_eq!(curve.at_accuracy(0.9).unwrap().threshold, 0.9);
    assert_eq!(curve.at_accuracy(0.5).unwrap().threshold, 0.5);
    let wrong = RiskCoverage::new(&[0.9], &[false]).unwrap();
    assert_eq!((wrong.at_accuracy(0.1), wrong.area(), wrong.excess_area()), (None, 1.0, 0.0));
    assert_eq!(RiskCoverage::new(&[], &[]), None);
    assert_eq!(RiskCoverage::new(&[f64::NAN], &[true]), None);
}
