//! Against scikit-learn, netcal and scipy (`golden/calibration.py`).

use crucible_measure::calibration::{
    Binning, Forecasts, Isotonic, IsotonicCurve, Temperature, Unfit, VectorScaling, brier_score,
    class_wise_calibration_error, negative_log_likelihood, negative_log_likelihood_of_logits,
};
use crucible_measure::{Bootstrap, Rows, softmax};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::{assert_all_near, assert_near, labels, number, numbers};

const WIDTH: Binning = Binning::EqualWidth(15);
const MASS: Binning = Binning::EqualMass(15);

struct Golden {
    json: Value,
    logits: Vec<f64>,
    labels: Vec<usize>,
    classes: usize,
}

impl Golden {
    fn read() -> Self {
        let json: Value = serde_json::from_str(include_str!("../golden/calibration.json")).unwrap();
        let (logits, labels) = (numbers(&json["logits"]), labels(&json["labels"]));
        let classes = json["classes"].as_u64().unwrap() as usize;
        Self { json, logits, labels, classes }
    }

    fn logits(&self) -> Rows<'_> {
        Rows::new(&self.logits, self.classes)
    }

    fn probabilities(&self) -> Vec<f64> {
        softmax(self.logits(), 1.0)
    }
}

#[test]
fn errors_over_bins_are_netcals() {
    let golden = Golden::read();
    let probabilities = golden.probabilities();
    let rows = Rows::new(&probabilities, golden.classes);
    let top = Forecasts::top_label(rows, &golden.labels).unwrap();
    assert_near(top.expected_calibration_error(WIDTH).unwrap(), number(&golden.json["ece"]));
    assert_near(top.maximum_calibration_error(WIDTH).unwrap(), number(&golden.json["mce"]));
    assert_near(top.expected_calibration_error(MASS).unwrap(), number(&golden.json["ece_equal_mass"]));
    for (binning, name) in [(WIDTH, "class_wise"), (MASS, "class_wise_equal_mass")] {
        let found = class_wise_calibration_error(rows, &golden.labels, binning).unwrap();
        assert_near(found, number(&golden.json[name]));
    }
}

#[test]
fn scores_are_scikit_learns() {
    let golden = Golden::read();
    let probabilities = golden.probabilities();
    let rows = Rows::new(&probabilities, golden.classes);
    assert_near(brier_score(rows, &golden.labels, 0.95).unwrap().value, number(&golden.json["brier"]));
    for (class, theirs) in numbers(&golden.json["brier_of_class"]).into_iter().enumerate() {
        let forecasts = Forecasts::of_class(rows, &golden.labels, class).unwrap();
        assert_near(forecasts.brier_score(0.95).unwrap().value, theirs);
    }
    let theirs = number(&golden.json["log_loss"]);
    assert_near(negative_log_likelihood(rows, &golden.labels, 0.95).unwrap().value, theirs);
    let of_logits = negative_log_likelihood_of_logits(golden.logits(), &golden.labels, 0.95).unwrap();
    assert_near(of_logits.value, theirs);
    assert!(of_logits.interval.unwrap().contains(theirs));
}

#[test]
fn the_temperature_is_scipys_and_improves_calibration() {
    let golden = Golden::read();
    let found = Temperature::fit(golden.logits(), &golden.labels).unwrap();
    assert_near(found.temperature, number(&golden.json["temperature"]));
    let scaled: Vec<f64> = golden.logits.iter().map(|z| z / found.temperature).collect();
    let rows = Rows::new(&scaled, golden.classes);
    let value = negative_log_likelihood_of_logits(rows, &golden.labels, 0.95).unwrap().value;
    assert_near(value, number(&golden.json["log_loss_at_temperature"]));
    let error = |probabilities: &[f64]| {
        let top = Forecasts::top_label(Rows::new(probabilities, golden.classes), &golden.labels).unwrap();
        top.expected_calibration_error(WIDTH).unwrap()
    };
    assert!(error(&found.apply(golden.logits())) < 0.5 * error(&golden.probabilities()));
}

#[test]
fn a_temperature_that_is_not_determined_says_why() {
    let fit = |logits: &[f64], labels: &[usize]| Temperature::fit(Rows::new(logits, 2), labels);
    assert_eq!(fit(&[], &[]), Err(Unfit::Empty));
    assert_eq!(fit(&[1.0, 0.0, 0.0, 2.0], &[0, 1]), Err(Unfit::AllRight));
    assert_eq!(fit(&[1.0, 0.0, 0.0, 2.0], &[1, 0]), Err(Unfit::Uninformative));
    assert_eq!(fit(&[f64::NAN, 0.0], &[1]), Err(Unfit::NoMinimum));
    // Two of three are right by a margin of 1: their probability is to be 2/3, so that exp(1/T) is 2.
    let found = fit(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.0], &[0, 0, 1]).unwrap();
    assert_near(found.temperature, 1.0 / 2f64.ln());
}

#[test]
fn vector_scaling_is_scipys() {
    let golden = Golden::read();
    let ridge = number(&golden.json["ridge"]);
    let found = VectorScaling::fit(golden.logits(), &golden.labels, ridge).unwrap();
    assert_all_near(
        &[found.weights.clone(), found.biases.clone()].concat(),
        &numbers(&golden.json["vector"]),
    );
    assert!(found.biases.iter().sum::<f64>().abs() < 1e-12);
    let applied = found.apply(golden.logits());
    assert!(Rows::new(&applied, golden.classes).iter().all(|p| (p.iter().sum::<f64>() - 1.0).abs() < 1e-12));
    // A class without examples, and examples that are all right, still have an answer.
    assert!(VectorScaling::fit(Rows::new(&[3.0, 0.0, 0.0, 0.0, 3.0, 0.0], 3), &[0, 1], 1e-4).is_ok());
}

#[test]
fn isotonic_regression_is_scikit_learns() {
    let golden = Golden::read();
    let probabilities = golden.probabilities();
    let case = &golden.json["isotonic"];
    let fitted = Isotonic::fit(Rows::new(&probabilities, golden.classes), &golden.labels).unwrap();
    let fresh = numbers(&case["fresh"]);
    assert_all_near(&fitted.apply(Rows::new(&fresh, golden.classes)), &numbers(&case["calibrated"]));

    let outcomes = golden.labels.iter().map(|label| *label == 1).collect();
    let curve = IsotonicCurve::fit(&Forecasts::new(numbers(&case["tied"]), outcomes).unwrap()).unwrap();
    let ours: Vec<f64> = numbers(&case["at"]).into_iter().map(|x| curve.at(x)).collect();
    assert_all_near(&ours, &numbers(&case["curve"]));
}

#[test]
fn bins_hold_every_forecast_once_and_ties_stay_together() {
    let forecasts =
        Forecasts::new(vec![0.0, 0.2, 0.2, 0.2, 0.5, 1.0], vec![false, true, false, false, true, true])
            .unwrap();
    let width = forecasts.bins(Binning::EqualWidth(5));
    let counts: Vec<u64> = width.iter().map(|bin| bin.happened.trials).collect();
    assert_eq!(counts, [4, 0, 1, 0, 1]);
    assert_eq!((width[1].confidence, width[1].gap()), (None, None));
    let mass = forecasts.bins(Binning::EqualMass(3));
    let counts: Vec<u64> = mass.iter().map(|bin| bin.happened.trials).collect();
    assert_eq!(counts, [4, 2]);
    assert_eq!(mass[0].happened.successes, 1);
    assert_near(mass[0].gap().unwrap(), 0.15 - 0.25);
    let none = Forecasts::new(Vec::new(), Vec::new()).unwrap();
    assert_eq!(none.expected_calibration_error(WIDTH), None);
    assert_eq!(none.maximum_calibration_error(MASS), None);
    assert_eq!(none.brier_score(0.95), None);
}

#[test]
fn the_parts_of_a_brier_score_add_up() {
    let golden = Golden::read();
    let probabilities = golden.probabilities();
    let forecasts =
        Forecasts::of_class(Rows::new(&probabilities, golden.classes), &golden.labels, 0).unwrap();
    let parts = forecasts.brier_parts(Binning::EqualWidth(10)).unwrap();
    let sum = parts.reliability - parts.resolution + parts.uncertainty + parts.within;
    assert_near(sum, forecasts.brier_score(0.95).unwrap().value);
    // One probability per bin leaves nothing within; 0.2 and 0.8 hit 1/4 and 3/4.
    let coarse = Forecasts::new(
        [[0.2; 4], [0.8; 4]].concat(),
        vec![true, false, false, false, true, true, true, false],
    );
    let parts = coarse.unwrap().brier_parts(Binning::EqualWidth(10)).unwrap();
    assert_near(parts.reliability, 0.0025);
    assert_near(parts.resolution, 0.0625);
    assert_near(parts.uncertainty, 0.25);
    assert_near(parts.within, 0.0);
}

/// Forecasts of so many examples, whose events happen as often as they say, less `over`.
fn drawn(count: usize, over: f64, rng: &mut ChaCha8Rng) -> Forecasts {
    let probabilities: Vec<f64> = (0..count).map(|_| rng.random_range(0.5..1.0)).collect();
    let outcomes = probabilities.iter().map(|p| rng.random::<f64>() < p - over).collect();
    Forecasts::new(probabilities, outcomes).unwrap()
}

#[test]
fn the_interval_of_the_error_holds_the_truth_in_simulations() {
    let bootstrap = Bootstrap { resamples: 200, confidence: 0.95 };
    for over in [0.0, 0.1] {
        let held = (0..100).filter(|seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(*seed);
            let forecasts = drawn(1000, over, &mut rng);
            let interval = forecasts.expected_calibration_error_interval(WIDTH, bootstrap, &mut rng).unwrap();
            interval.contains(over)
        });
        let held = held.count();
        assert!(held >= 90, "{over}: the truth is in {held} of 100 intervals");
    }
}
