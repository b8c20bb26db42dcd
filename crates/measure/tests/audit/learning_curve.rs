//! Against scipy and mpmath (`golden/audit.py`), and whether forecasts hold.

use crucible_measure::Bootstrap;
use crucible_measure::learning_curve::{LearningCurve, NoCurve};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::{assert_near, number, numbers};

const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 200, confidence: 0.95 };

fn fit(sizes: &[f64], errors: &[f64]) -> Result<LearningCurve, NoCurve> {
    LearningCurve::fit(sizes, errors, BOOTSTRAP, &mut ChaCha8Rng::seed_from_u64(3))
}

#[test]
fn least_squares_are_scipys() {
    let golden: Value = serde_json::from_str(include_str!("../golden/audit.json")).unwrap();
    for case in golden["curves"].as_array().unwrap() {
        let (sizes, errors) = (numbers(&case["sizes"]), numbers(&case["errors"]));
        let found = fit(&sizes, &errors).unwrap();
        let residual = |(n, error): (&f64, &f64)| (found.law.at(*n) - error).powi(2);
        let cost = 0.5 * sizes.iter().zip(&errors).map(residual).sum::<f64>();
        assert!(cost <= number(&case["cost"]) + 1e-15, "{}: {cost}", case["name"]);
        let law = [found.law.scale, found.law.exponent, found.law.floor];
        law.iter().zip(numbers(&case["law"])).for_each(|(ours, theirs)| assert_near(*ours, theirs));
        assert_near(found.doubling().then.value, number(&case["twice"]));
    }
}

#[test]
fn a_forecast_holds_the_truth_in_simulations() {
    let truth = |n: f64| 2.0 * n.powf(-0.5) + 0.05;
    let sizes: Vec<f64> = [100.0, 200.0, 400.0, 800.0, 1600.0].into_iter().flat_map(|n| [n; 4]).collect();
    let held = (0..100).filter(|seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(*seed);
        let errors: Vec<f64> =
            sizes.iter().map(|n| truth(*n) * (1.0 + 0.1 * (rng.random::<f64>() - 0.5))).collect();
        let found = LearningCurve::fit(&sizes, &errors, BOOTSTRAP, &mut rng).unwrap().doubling();
        let gain = found.gain.interval.unwrap();
        found.then.interval.unwrap().contains(truth(3200.0)) && gain.contains(truth(1600.0) - truth(3200.0))
    });
    let held = held.count();
    assert!(held >= 85, "both intervals hold in {held} of 100");
}

#[test]
fn what_is_no_curve_says_so_and_no_progress_is_flat() {
    assert_eq!(fit(&[1.0, 2.0, 2.0], &[0.5; 3]), Err(NoCurve::TooFew { sizes: 2, measurements: 3 }));
    assert_eq!(fit(&[0.0, 1.0, 2.0, 3.0], &[0.5; 4]), Err(NoCurve::OutOfRange));
    assert_eq!(fit(&[1.0, 2.0, 3.0, 4.0], &[0.5, 0.4, f64::NAN, 0.1]), Err(NoCurve::OutOfRange));
    for errors in [[0.3, 0.3, 0.3, 0.3], [0.1, 0.2, 0.3, 0.6]] {
        let found = fit(&[10.0, 20.0, 40.0, 80.0], &errors).unwrap();
        assert_near(found.law.at(1000.0), 0.3);
        assert_near(found.doubling().gain.value, 0.0);
    }
}
