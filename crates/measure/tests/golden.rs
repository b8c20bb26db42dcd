//! Every measure against scikit-learn, statsmodels and scipy: `golden/make.py` wrote `golden/golden.json`, which names
//! their versions.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use crucible_measure::{Average, Confusion, normal_quantile, regression, top_k, wilson};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/golden.json")).unwrap()
}

fn items(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<Option<f64>> {
    items(value).iter().map(Value::as_f64).collect()
}

fn labels(value: &Value) -> Vec<usize> {
    items(value).iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

fn singles(value: &Value) -> Vec<f32> {
    items(value).iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

/// Equal up to rounding: a relative 1e-12, and an absolute 1e-14 near zero.
#[track_caller]
fn assert_near(ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() <= 1e-12 * theirs.abs() + 1e-14, "{ours} is not {theirs}");
}

#[track_caller]
fn assert_all_near(ours: &[Option<f64>], theirs: &[Option<f64>]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => assert_near(*ours, *theirs),
            _ => assert_eq!(ours, theirs),
        }
    }
}

#[test]
fn normal_quantile_is_scipy_norm_ppf() {
    for case in items(&golden()["quantiles"]) {
        let (p, z) = (case["p"].as_f64().unwrap(), case["z"].as_f64().unwrap());
        let ours = normal_quantile(p);
        assert!((ours - z).abs() <= 4e-15 * z.abs(), "Φ⁻¹({p}) = {ours}, not {z}");
    }
    assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
    assert_eq!(normal_quantile(1.0), f64::INFINITY);
    assert!([-0.1, 1.1, f64::NAN].iter().all(|&p| normal_quantile(p).is_nan()));
}

#[test]
fn wilson_is_statsmodels_proportion_confint() {
    for case in items(&golden()["wilson"]) {
        let (successes, trials) = (case["successes"].as_u64().unwrap(), case["trials"].as_u64().unwrap());
        let ours = wilson(successes, trials, case["confidence"].as_f64().unwrap());
        let theirs = numbers(&case["interval"]);
        assert_all_near(&[Some(ours.low), Some(ours.high)], &theirs);
    }
}

#[test]
fn confusion_is_scikit_learn_precision_recall_fscore_support() {
    for case in items(&golden()["confusions"]) {
        let rows: Confusion = serde_json::from_value(case["rows"].clone()).unwrap();
        let mut confusion = Confusion::new(rows.classes());
        for (actual, predicted) in labels(&case["actual"]).into_iter().zip(labels(&case["predicted"])) {
            confusion.record(actual, predicted);
        }
        assert_eq!(confusion, rows, "{}", case["name"]);

        assert_near(confusion.accuracy().estimate().unwrap(), case["accuracy"].as_f64().unwrap());
        let classes = confusion.per_class();
        let column = |metric: fn(&crucible_measure::ClassMetrics) -> Option<f64>| {
            classes.iter().map(metric).collect::<Vec<_>>()
        };
        assert_all_near(&column(|c| c.precision.estimate()), &numbers(&case["precision"]));
        assert_all_near(&column(|c| c.recall.estimate()), &numbers(&case["recall"]));
        assert_all_near(&column(|c| c.f1), &numbers(&case["f1"]));
        assert_all_near(&column(|c| Some(c.support as f64)), &numbers(&case["support"]));

        let parts = |a: Average| [a.precision, a.recall, a.f1];
        assert_all_near(&parts(confusion.macro_average()), &numbers(&case["macro"]));
        assert_all_near(&parts(confusion.weighted_average()), &numbers(&case["weighted"]));
    }
}

#[test]
fn top_k_is_scikit_learn_top_k_accuracy_score() {
    let case = &golden()["top_k"];
    let (scores, targets) = (singles(&case["scores"]), labels(&case["targets"]));
    let classes = case["classes"].as_u64().unwrap() as usize;
    for (k, hits) in case["hits"].as_object().unwrap() {
        let ours = top_k(&scores, classes, &targets, k.parse().unwrap());
        assert_eq!((ours.successes, ours.trials), (hits.as_u64().unwrap(), targets.len() as u64), "k = {k}");
    }
}

#[test]
fn regression_is_scikit_learn_and_statsmodels() {
    let case = &golden()["regression"];
    let ours = regression(&singles(&case["predictions"]), &singles(&case["targets"]), 0.95).unwrap();
    let theirs = |name: &str| case[name].as_f64().unwrap();
    assert_near(ours.mse.value, theirs("mse"));
    assert_near(ours.rmse.value, theirs("rmse"));
    assert_near(ours.mae.value, theirs("mae"));
    assert_near(ours.r2.unwrap(), theirs("r2"));
    for (interval, name) in [(ours.mse.interval, "mse_interval"), (ours.mae.interval, "mae_interval")] {
        let interval = interval.unwrap();
        assert_all_near(&[Some(interval.low), Some(interval.high)], &numbers(&case[name]));
    }
}
