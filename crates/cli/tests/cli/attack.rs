//! Attacks on a run, and defences in a recipe.

use serde_json::Value;

use crate::support::{Place, idx_folder};

/// Two classes of 8 x 8 pictures, trained for a moment.
const PICTURES: &str = r#"
[data]
source = "idx"
path = "pictures"
normalize = "unit"

[model]
name = "convnet"
conv = [{ channels = 4, kernel = 3, stride = 2 }]
hidden = []

[train]
epochs = 8
batch_size = 8

[train.optimizer]
name = "adam"
lr = 0.01
"#;

fn pictures() -> Place {
    let place = Place::empty();
    idx_folder(&place, "pictures");
    place.write("job.toml", PICTURES);
    place
}

fn last(place: &Place, args: &[&str]) -> Value {
    place.ok(&[args, &["--json"]].concat()).objects().pop().unwrap()
}

#[test]
fn an_attack_is_measured_kept_and_shown() {
    let place = pictures();
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    let pgd = ["attack", "run", "--method", "pgd", "--set", "step_size=0.25"];
    let none = last(&place, &[&pgd[..], &["--eps", "0"]].concat());
    assert_eq!(none["clean_accuracy"], none["robust_accuracy"]);
    let found = last(&place, &[&pgd[..], &["--eps", "0.9", "--curve", "--count", "16"]].concat());
    assert_eq!(found["count"], 16);
    let robust = found["robust_accuracy"].as_f64().unwrap();
    assert!(robust < found["clean_accuracy"].as_f64().unwrap(), "{found}");
    let interval = found["robust_accuracy_interval"].as_array().unwrap();
    assert!(interval[0].as_f64().unwrap() <= robust && robust <= interval[1].as_f64().unwrap());
    assert!(found["seconds"].as_f64().unwrap() > 0.0);
    let curve: Vec<f64> =
        found["curve"].as_array().unwrap().iter().map(|p| p["robust_accuracy"].as_f64().unwrap()).collect();
    assert_eq!(curve.len(), 4);
    assert!(curve.is_sorted_by(|a, b| a >= b), "{curve:?}");
    let report = place.text("run/report.html");
    assert!(report.contains("Under attack: pgd within L∞ 0.9") && report.contains("taken for"), "{report}");
    assert!(place.text("run/findings/attack-pgd-linf-0.9.json").contains("Robust accuracy"));
    // The same seed, the same answer; and a later report still has it.
    let again = last(&place, &[&pgd[..], &["--eps", "0.9", "--count", "16"]].concat());
    assert_eq!(again["robust_accuracy"], found["robust_accuracy"]);
    place.ok(&["report", "run"]);
    assert!(place.text("run/report.html").contains("Under attack: pgd"));
}

#[test]
fn questions_that_an_attack_cannot_answer() {
    let place = Place::with_run();
    place.refuses(
        &["attack", "run", "--method", "pgd", "--eps", "-0.1"],
        2,
        "ε is -0.1, and must be a finite number of at least 0",
    );
    let said = place.run(&["attack", "run", "--method", "pdg"]);
    assert!(said.err.starts_with("error: there is no attack `pdg`; there are: "), "{}", said.err);
    assert!(said.err.contains("pgd"));
    let said = place.run(&["attack", "run", "--method", "pgd", "--set", "stepz=3"]);
    assert!(said.err.contains("unknown field `stepz`") && said.err.contains("`steps`"), "{}", said.err);
    place.ok(&["train", "line.toml", "--out", "numbers", "--quiet"]);
    place.refuses(
        &["attack", "numbers", "--method", "pgd"],
        2,
        "this run predicts numbers; attacks and attributions need a network that tells classes apart",
    );
    let list = place.ok(&["attack", "--list"]).out;
    assert!(list.contains("pgd ") && list.contains("needs gradients"), "{list}");
}

#[test]
fn every_defence_trains_and_resumes_to_the_same_bytes() {
    let place = pictures();
    for name in ["pgd", "fast", "trades", "ibp", "crown-ibp"] {
        place.write("job.toml", format!("{PICTURES}\n[defence]\nname = \"{name}\"\neps = 0.1\n"));
        let end = last(&place, &["train", "job.toml", "--out", name]);
        assert!(end["test_accuracy"].as_f64().unwrap() > 0.9, "{name}: {end}");
        place.ok(&["train", "job.toml", "--out", &format!("{name}-again"), "--quiet"]);
        assert_eq!(
            place.read(&format!("{name}/model.safetensors")),
            place.read(&format!("{name}-again/model.safetensors"))
        );
    }
}

#[test]
fn what_is_certain_is_never_broken() {
    let place = pictures();
    place.write("job.toml", format!("{PICTURES}\n[defence]\nname = \"ibp\"\neps = 0.1\n"));
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    let certain = last(&place, &["certify", "run", "--eps", "0.1"]);
    let attacked =
        last(&place, &["attack", "run", "--eps", "0.1", "--set", "queries=200", "--set", "steps=30"]);
    let [verified, robust] =
        [&certain["verified_accuracy"], &attacked["robust_accuracy"]].map(|v| v.as_f64().unwrap());
    assert!(verified > 0.5 && verified <= robust, "{verified} certain, {robust} robust");
    let each = |args: &[&str], key: &str| -> Vec<bool> {
        let objects = place
            .ok(&[args, &["run", "--eps", "0.1", "--count", "12", "--each", "--json"]].concat())
            .objects();
        let rows = objects[..12].iter().enumerate();
        rows.map(|(index, row)| {
            assert_eq!((row["index"].as_u64(), row["label"].is_u64()), (Some(index as u64), true), "{row}");
            row[key].as_bool().unwrap()
        })
        .collect()
    };
    let fooled = each(&["attack", "--method", "pgd"], "fooled");
    let [interval, linear] =
        ["ibp", "crown-ibp"].map(|method| each(&["certify", "--method", method], "certified"));
    for ((fooled, interval), linear) in fooled.into_iter().zip(interval).zip(linear) {
        assert!(!(interval || linear) || !fooled);
        assert!(linear || !interval);
    }
    let smoothed = last(&place, &["certify", "run", "--method", "smoothing", "--eps", "0.2", "--count", "6"]);
    assert!(smoothed["verified_accuracy"].as_f64().unwrap() <= smoothed["clean_accuracy"].as_f64().unwrap());
    let report = place.text("run/report.html");
    assert!(report.contains("Certain within L∞ 0.1") && report.contains("Certain within L2 0.2"));
    place.refuses(
        &["certify", "run", "--method", "smoothing", "--set", "sigma=0"],
        2,
        "sigma is 0, and must be a positive number",
    );
    place.refuses(
        &["certify", "run", "--method", "proof"],
        2,
        "there is no certificate `proof`; there are: ibp, crown-ibp, smoothing",
    );
    let list = place.ok(&["certify", "--list"]).out;
    assert!(list.contains("ibp ") && list.contains("sigma=0.25"), "{list}");
}

#[test]
fn one_output_for_two_classes_has_no_bounds() {
    let place = pictures();
    place.edit("job.toml", "batch_size = 8", "batch_size = 8\nloss = \"binary-cross-entropy\"");
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    place.refuses(
        &["certify", "run"],
        2,
        "bounds of logits need an output for each class; use the loss `cross-entropy`",
    );
    place.ok(&["certify", "run", "--method", "smoothing", "--count", "2", "--set", "estimate=10"]);
}

#[test]
fn defences_that_do_not_fit() {
    let place = Place::with_tables();
    place.edit("line.toml", "[train]", "[defence]\nname = \"pgd\"\n\n[train]");
    place.refuses(
        &["train", "line.toml", "--out", "run"],
        2,
        "`defence` needs a network that tells classes apart, with the loss `cross-entropy` or `binary-cross-entropy`",
    );
    let place = pictures();
    place.write(
        "job.toml",
        "[data]\nsource = \"idx\"\npath = \"pictures\"\n[model]\nname = \"transformer\"\npatch = 4\nwidth = 8\nheads = 2\n\
         layers = 1\n[defence]\nname = \"ibp\"\n",
    );
    let said = place.run(&["train", "job.toml", "--out", "run"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("do not pass through the layer `positions`"), "{}", said.err);
    assert!(!place.path("run").exists());
}
