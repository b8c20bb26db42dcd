//! Runs in integers, and that they are runs like any other.

use std::fs;

use serde_json::Value;

use crate::support::{Place, idx_folder};

/// A small convolutional network on random pictures.
const PICTURES: &str = r#"
[data]
source = "idx"
path = "digits"

[model]
name = "convnet"
hidden = [100]
conv = [{ channels = 8, kernel = 3, pool = 2 }]

[train]
epochs = 2
batch_size = 8
"#;

fn with_pictures() -> Place {
    let place = Place::empty();
    idx_folder(&place, "digits");
    place.write("pictures.toml", PICTURES);
    place.ok(&["train", "pictures.toml", "--out", "run", "--quiet"]);
    place
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_compressed_run_is_a_run() {
    let place = with_pictures();
    let found = place.ok(&["compress", "run", "--int8", "--out", "small", "--json"]).object();
    assert_eq!((found["run"].as_str(), number(&found["batch"])), (Some("small"), 64.0));
    for side in ["accuracy", "accuracy_before", "ms", "ms_before"] {
        assert!(number(&found[side]) > 0.0, "{side}: {found}");
    }
    assert!(number(&found["bytes"]) < 0.5 * number(&found["bytes_before"]), "{found}");
    assert_eq!(
        number(&found["bytes"]) as u64,
        fs::metadata(place.path("small/model.safetensors")).unwrap().len()
    );
    let layers: Vec<&str> =
        found["layers"].as_array().unwrap().iter().map(|layer| layer["layer"].as_str().unwrap()).collect();
    assert_eq!(layers, ["conv1", "fc1", "fc2"]);

    let accuracy = number(&place.ok(&["eval", "small", "--json"]).object()["accuracy"]);
    assert_eq!(accuracy, number(&found["accuracy"]));
    place.ok(&["attack", "small", "--method", "fgsm", "--eps", "0", "--quiet"]);
    let attacked = place.ok(&["attack", "small", "--method", "pgd", "--eps", "0", "--json"]).objects();
    assert_eq!(number(&attacked.last().unwrap()["robust_accuracy"]), accuracy, "no change, no harm");
    place.ok(&["explain", "small", "--count", "1", "--method", "saliency", "--quiet"]);
    place.ok(&["certify", "small", "--method", "smoothing", "--eps", "0.1", "--count", "2", "--quiet"]);
    place.ok(&["model", "summary", "small", "--quiet"]);
    place.ok(&["report", "small", "--quiet"]);
    let report = fs::read_to_string(place.path("small/report.html")).unwrap();
    assert!(report.contains("Compression") && report.contains("What each layer costs"));
}

#[test]
fn every_format_gives_a_smaller_file_whose_answers_are_nearly_the_same() {
    let place = with_pictures();
    let formats: [(&[&str], f64); 6] = [
        (&["--int8", "--calibration", "min-max"], 0.5),
        (&["--int8", "--calibration", "entropy", "--equalize"], 0.5),
        (&["--int8", "--dynamic", "--no-bias-correction"], 0.5),
        (&["--int8", "--weights-only"], 0.5),
        (&["--int4", "--group", "16"], 0.4),
        (&["--int8", "--calibration", "percentile", "--set", "percent=99.5", "--keep", "conv1"], 0.5),
    ];
    for (i, (format, most)) in formats.into_iter().enumerate() {
        let out = format!("small{i}");
        let words = [&["compress", "run", "--out", &out, "--json"], format].concat();
        let found = place.ok(&words).object();
        assert!(number(&found["bytes"]) < most * number(&found["bytes_before"]), "{format:?} {found}");
        assert!(number(&found["agreement"]) >= 0.8, "{format:?} {found}");
    }
    let listed = place.ok(&["compress", "--list", "--json"]).objects();
    assert_eq!(listed.len(), 6);
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let place = with_pictures();
    place.ok(&["compress", "run", "--int8", "--out", "small", "--quiet"]);
    let bad = |words: &[&'static str]| [&["compress"], words, &["--out", "bad"]].concat();
    for (words, message) in [
        (
            &["run", "--int8", "--examples", "0"][..],
            "calibration has no examples; it takes at least one, and some hundreds to be good",
        ),
        (&["run", "--int8", "--set", "percent=200"], "`percent` is 200, and must be from 50 to 100"),
        (&["run", "--int4", "--group", "1"], "a group holds at least 2 weights, not 1"),
        (
            &["run", "--int8", "--keep", "conv7"],
            "there is no layer `conv7` to keep; there are: conv1, fc1, fc2",
        ),
        (
            &["run", "--int8", "--calibration", "mean"],
            "there is no calibration `mean`; there are: min-max, percentile, entropy, mse",
        ),
        (
            &["small", "--int8"],
            "small is no run: its network is compressed already; compress the run that it was made from",
        ),
    ] {
        place.refuses(&bad(words), 2, message);
    }
    for words in [&["run"][..], &["run", "--int8", "--int4"], &["run", "--int3"]] {
        assert_eq!(place.run(&bad(words)).code, Some(2), "{words:?}");
    }
    assert!(!place.path("bad").exists());
    assert_eq!(place.run(&["compress", "run", "--int8", "--out", "small"]).code, Some(1));
    let words = "ibp bounds a network's layers in floats, and this run answers in integers; `smoothing` asks for answers only";
    place.refuses(&["certify", "small", "--method", "ibp", "--eps", "0.01"], 2, words);
    let words = "small is no run: its network is compressed, and cannot be trained on; train the run that it was made from";
    place.refuses(&["train", "--resume", "small"], 2, words);
}

#[test]
fn a_damaged_archive_is_no_network() {
    let place = with_pictures();
    place.ok(&["compress", "run", "--int8", "--out", "small", "--quiet"]);
    let file = place.path("small/model.safetensors");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 7]).unwrap();
    let said = place.run(&["eval", "small"]);
    assert!(
        said.err.starts_with("error: small/model.safetensors: not a whole safetensors file"),
        "{}",
        said.err
    );
    assert_eq!(said.code, Some(1));
}

#[test]
fn a_run_is_exported_with_its_integers() {
    let place = with_pictures();
    place.ok(&["compress", "run", "--int8", "--out", "eight", "--quiet"]);
    place.ok(&["compress", "run", "--int4", "--out", "four", "--quiet"]);
    let export = |run: &str| {
        let file = format!("{run}.onnx");
        let said = place.ok(&["export", run, "--onnx", &file, "--json"]).object();
        let bytes = place.read(&file);
        assert_eq!(
            (said["file"].as_str(), said["bytes"].as_u64()),
            (Some(&file[..]), Some(bytes.len() as u64))
        );
        (said["arithmetic"].as_str().unwrap().to_owned(), bytes)
    };
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let (kind, floats) = export("run");
    assert!(kind == "float" && holds(&floats, "conv1.weight") && !holds(&floats, "QuantizeLinear"));
    let (kind, integers) = export("eight");
    assert!(kind == "integers" && holds(&integers, "QuantizeLinear") && integers.len() < floats.len() / 2);
    let (kind, halves) = export("four");
    assert!(
        kind == "float activations" && holds(&halves, "DequantizeLinear") && halves.len() < integers.len()
    );
    assert_eq!(place.run(&["export", "run", "--onnx", "no/such/folder.onnx"]).code, Some(1));
    assert_eq!(place.run(&["export", "run"]).code, Some(2));
}

#[test]
fn training_with_integers_ends_in_a_run_like_any_other() {
    let place = with_pictures();
    for (kind, out) in [("--int4", "four"), ("--int8", "eight")] {
        let words = ["compress", "run", kind, "--epochs", "2", "--lr", "0.005", "--out", out, "--json"];
        let found = place.ok(&words).objects().pop().unwrap();
        assert_eq!(number(&found["trained"]["epochs"]), 2.0, "{found}");
        let accuracy = number(&place.ok(&["eval", out, "--json"]).object()["accuracy"]);
        assert_eq!(accuracy, number(&found["accuracy"]));
        let left: Vec<String> = place.tree(&format!("{out}/compress")).into_keys().collect();
        assert_eq!(left, ["plan.json"], "what was trained in is gone");
        assert!(place.text(&format!("{out}/report.html")).contains("integers in every forward pass"));
        place.ok(&["explain", out, "--count", "1", "--method", "saliency", "--quiet"]);
    }
    let again = ["compress", "run", "--int4", "--epochs", "2", "--lr", "0.005", "--out", "again", "--quiet"];
    place.ok(&again);
    let bytes = |run: &str| fs::read(place.path(&format!("{run}/model.safetensors"))).unwrap();
    assert!(bytes("four") == bytes("again"), "the same words give the same bytes");
    place.ok(&["compress", "run", "--int4", "--out", "rounded", "--quiet"]);
    assert!(bytes("four") != bytes("rounded"), "training changes something");

    place.refuses(
        &["compress", "run", "--int4", "--lr", "0.1"],
        2,
        "--lr without --epochs: nothing is trained",
    );
}

#[test]
fn layers_get_more_bits_under_a_budget() {
    let place = with_pictures();
    let compress = |more: &[&str], out: &str| {
        let words = [&["compress", "run", "--int4", "--out", out, "--json"], more].concat();
        place.ok(&words).object()
    };
    let bits = |found: &Value| -> Vec<u64> {
        let layers = found["layers"].as_array().unwrap();
        layers.iter().map(|layer| layer["bits"].as_u64().unwrap()).collect()
    };
    let low = compress(&[], "low");
    let share = number(&low["bytes"]) / number(&low["bytes_before"]);
    let some = format!("{}", share + 0.1);
    let mixed = compress(&["--max-size", &some], "mixed");
    assert!(number(&mixed["bytes"]) <= (share + 0.1) * number(&mixed["bytes_before"]), "{mixed}");
    assert!(bits(&mixed) != bits(&low) && number(&mixed["bytes"]) > number(&low["bytes"]), "{mixed}");
    let all = compress(&["--max-drop", "100"], "all");
    assert_eq!(bits(&all), bits(&low), "nothing needs more bits where everything may be lost");
    let accurate = compress(&["--max-drop", "0"], "accurate");
    assert!(number(&accurate["bytes"]) >= number(&low["bytes"]), "{accurate}");

    let small = ["compress", "run", "--int4", "--max-size", "0.01", "--out", "none"];
    place.refuses(&small, 2, "the file can have 5796 bytes at the least with these integers, not 307");
    for (flag, words) in [
        ("--max-size=1.5", "--max-size 1.5: a share of the floats' file lies between 0 and 1"),
        ("--max-drop=-1", "--max-drop -1: points of accuracy lie between 0 and 100"),
    ] {
        place.refuses(&["compress", "run", "--int8", flag], 2, words);
    }
}
