//! Runs that start from another run's network.

use crucible_models::weights;
use serde_json::Value;

use crate::support::{Place, idx_folder};

/// A small convolutional network on random pictures, of these classes.
fn pictures(classes: &str, more: &str) -> String {
    format!(
        r#"
[data]
source = "idx"
path = "digits"
only = {classes}

[model]
name = "convnet"
hidden = [20]
conv = [{{ channels = 4, kernel = 3, pool = 2 }}]

[train]
epochs = 3
batch_size = 8
{more}
"#
    )
}

/// A run `first` on the class names that `idx_folder` has, and a recipe that starts from it.
fn with_first(more: &str) -> Place {
    let place = Place::empty();
    idx_folder(&place, "digits");
    place.write("first.toml", pictures(r#"["0", "1"]"#, ""));
    place.ok(&["train", "first.toml", "--out", "first", "--quiet"]);
    let transfer = format!("{more}\n[transfer]\nfrom = \"first\"\nmode = \"full\"\n");
    place.write("second.toml", pictures(r#"["1", "0"]"#, &transfer));
    place
}

fn changed(place: &Place, run: &str) -> Vec<String> {
    let read = |run: &str| {
        let bytes = place.read(&format!("{run}/model.safetensors"));
        weights::from_safetensors(&bytes, "format").unwrap().0
    };
    let (before, after) = (read("first"), read(run));
    assert_eq!(before.len(), after.len());
    before.into_iter().filter(|(name, tensor)| after[name] != *tensor).map(|(name, _)| name).collect()
}

#[test]
fn every_mode_trains_what_it_says_and_ends_in_a_run() {
    let place = with_first("");
    let all = ["conv1.bias", "conv1.weight", "fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"];
    let (probe, some) = (&all[4..], [all[0], all[2], all[4], all[5]]);
    for (mode, expected) in [
        ("transfer.mode=full", &all[..]),
        ("transfer.mode=probe", probe),
        ("transfer={ from = \"first\", mode = \"layers\", layers = [\"fc1\"] }", &all[2..]),
        ("transfer.mode=bit-fit", &some),
        ("transfer={ from = \"first\", mode = \"lora\", rank = 2 }", &all[2..]),
        ("transfer={ from = \"first\", mode = \"lora\", dora = true }", &all[2..]),
    ] {
        let _ = std::fs::remove_dir_all(place.path("second"));
        let words = ["train", "second.toml", "--set", mode, "--out", "second", "--json"];
        let done = place.ok(&words).objects().pop().unwrap();
        let changed = changed(&place, "second");
        // Adapters leave biases as they are.
        let expected: Vec<&str> =
            expected.iter().copied().filter(|name| !mode.contains("lora") || *name != "fc1.bias").collect();
        assert_eq!(changed, expected, "{mode}");
        assert_eq!(place.path("second/adapter/adapter_config.json").exists(), mode.contains("lora"));
        assert!(done["trainable"].as_u64() <= done["total"].as_u64(), "{done}");
        // It is a run as any other.
        let accuracy = place.ok(&["eval", "second", "--json"]).object()["accuracy"].clone();
        assert_eq!(accuracy, done["test_accuracy"], "{mode}");
        place.ok(&["attack", "second", "--method", "fgsm", "--eps", "0.1", "--quiet"]);
        place.ok(&["explain", "second", "--count", "1", "--method", "saliency", "--quiet"]);
        let report = place.text("second/report.html");
        assert!(report.contains("Trainable parameters") && report.contains("Former task, now"), "{mode}");
    }
    // Without the run that it started from it still answers.
    std::fs::remove_dir_all(place.path("first")).unwrap();
    place.ok(&["eval", "second", "--json"]);
    place.ok(&["report", "second"]);
}

#[test]
fn pictures_are_scaled_as_they_were_and_a_kept_layer_goes_on() {
    let place = with_first("");
    let config =
        |run: &str| -> Value { serde_json::from_slice(&place.read(&format!("{run}/config.json"))).unwrap() };
    place.ok(&["train", "second.toml", "--set", "data.per_class=4", "--out", "few", "--quiet"]);
    assert_eq!(config("few")["format"]["input"], config("first")["format"]["input"]);
    let still = ["--set", "transfer.head=keep", "--set", "train.optimizer={ name = \"sgd\", lr = 1e-30 }"];
    place.ok(&[&["train", "second.toml", "--out", "kept", "--quiet"], &still[..]].concat());
    assert!(changed(&place, "kept").is_empty(), "with so small a rate nothing moves");
}

#[test]
fn what_does_not_go_is_said_and_nothing_is_written() {
    let place = with_first("");
    let bad = |set: &'static str| ["train", "second.toml", "--set", set, "--out", "none"];
    for (set, words) in [
        ("model.hidden=[21]", "its network is {"),
        ("transfer.from=nowhere", "nowhere"),
        (
            "transfer={ from = \"first\", mode = \"layers\", layers = [\"fc9\"] }",
            "there is no layer `fc9`; there are: conv1, fc1, fc2",
        ),
        ("transfer.mode=all", "probe"),
        (
            "transfer={ from = \"first\", mode = \"lora\", targets = [\"query\"] }",
            "there is no linear layer `query`; there are: fc1, and `all-linear`",
        ),
        ("transfer={ from = \"first\", mode = \"lora\", rank = 0 }", "rank"),
        ("data.only=[\"0\", \"x\"]", "there is no class `x`"),
        ("data.only=[\"0\", \"0\"]", "at least two different classes"),
        ("data.per_class=0", "per_class"),
    ] {
        let said = place.run(&bad(set));
        assert!(said.code != Some(0) && said.err.contains(words), "{set}: {}", said.err);
        assert!(!place.path("none").exists(), "{set}");
    }
}

#[test]
fn ways_are_compared_and_what_is_done_is_not_done_again() {
    let place = with_first("");
    let words = [
        "transfer",
        "compare",
        "second.toml",
        "--per-class",
        "2,8",
        "--seeds",
        "2",
        "--out",
        "all",
        "--set",
        "train.epochs=2",
        "--json",
    ];
    let objects = place.ok(&words).objects();
    let ends: Vec<&str> =
        objects[objects.len() - 4..].iter().map(|object| object["mode"].as_str().unwrap()).collect();
    assert_eq!(ends, ["scratch", "probe", "lora", "full"]);
    for object in &objects[objects.len() - 4..] {
        assert!(object["accuracy"].as_f64().is_some_and(|accuracy| accuracy > 0.0), "{object}");
        assert!(object["trainable"].as_u64() <= object["total"].as_u64(), "{object}");
        assert_eq!((object["per_class"].as_u64(), object["seconds"].as_f64().is_some()), (Some(8), true));
    }
    let ways = objects.iter().filter(|object| object["event"] == "way").count();
    assert_eq!(ways, 8);
    let report = place.text("all/report.html");
    assert!(report.contains("Accuracy by examples"), "a learning curve");
    let run = "all/full-8-seed-2/model.safetensors";
    let first = std::fs::metadata(place.path(run)).unwrap().modified().unwrap();
    assert_eq!(place.ok(&words).objects().last(), objects.last());
    assert_eq!(std::fs::metadata(place.path(run)).unwrap().modified().unwrap(), first, "not trained again");

    let other = ["transfer", "compare", "second.toml", "--per-class", "2,8", "--seeds", "2", "--out", "all"];
    place.refuses(&other, 2, "all/scratch-2-seed-1 was trained by another recipe; choose another --out");
    place.refuses(
        &["transfer", "compare", "first.toml"],
        2,
        "first.toml has no table `[transfer]` to compare by",
    );
    place.refuses(
        &["transfer", "compare", "second.toml", "--modes", "best"],
        2,
        "there is no mode `best`; there are: scratch, probe, lora, full, layers, bit-fit",
    );
}

#[test]
fn training_starts_from_a_file_of_weights_too() {
    let place = with_first("");
    place.write("weights.st", place.read("first/model.safetensors"));
    let still = "train.optimizer={ name = \"sgd\", lr = 1e-30 }";
    let words = ["train", "second.toml", "--set", "transfer.from=weights.st", "--out", "kept", "--quiet"];
    place.ok(&[&words[..], &["--set", "transfer.head=keep", "--set", still]].concat());
    assert!(changed(&place, "kept").is_empty(), "the weights are the file's");
    assert!(place.text("kept/report.html").contains("was not measured"), "a file has no task of its own");
    let wrong = ["train", "second.toml", "--set", "transfer.from=first.toml", "--out", "none"];
    let said = place.run(&wrong);
    assert!(
        said.err.contains("holds no weights that can be read") && !place.path("none").exists(),
        "{said:?}"
    );
    let wider = ["train", "second.toml", "--set", "transfer.from=weights.st", "--set", "model.hidden=[21]"];
    let said = place.run(&[&wider[..], &["--out", "none"]].concat());
    assert!(said.err.contains("fc1.bias is [20] in the file, [21] in the network"), "{said:?}");
}
