//! Runs that are pruned, share their weights and are coded: runs like any other, stopped and gone on with like any other.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Place, idx_folder};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A small `cnn` on random pictures.
fn with_pictures() -> Place {
    let place = Place::empty();
    idx_folder(&place, "digits");
    let recipe = "[data]\nsource = \"idx\"\npath = \"digits\"\n[model]\nname = \"cnn\"\ndropout = 0.25\n[train]\nepochs = 2\nbatch_size = 8\n";
    place.write("pictures.toml", recipe);
    place.ok(&["train", "pictures.toml", "--out", "run", "--quiet"]);
    place
}

#[test]
fn deep_compression_makes_a_small_file_of_a_run_like_any_other() {
    let place = with_pictures();
    let words = ["--prune", "0.9", "--epochs", "1", "--share", "4", "--code", "--out", "small", "--json"];
    let found = place.ok(&[&["compress", "run"], &words[..]].concat()).objects().pop().unwrap();
    assert!(20.0 * number(&found["bytes"]) < number(&found["bytes_before"]), "{found}");
    assert_eq!(
        number(&found["bytes"]) as u64,
        fs::metadata(place.path("small/model.safetensors")).unwrap().len()
    );
    let stages: Vec<&str> =
        found["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(stages, ["as trained", "pruned", "coded", "shared and coded"]);
    let rounds: Vec<f64> =
        found["rounds"].as_array().unwrap().iter().map(|round| number(&round["share"])).collect();
    assert!(rounds.len() == 3 && rounds[0] > 0.6 && rounds[2] == 0.9, "{rounds:?}");
    let sum =
        |key: &str| found["layers"].as_array().unwrap().iter().map(|layer| number(&layer[key])).sum::<f64>();
    let weights = 288.0 + 18_432.0 + 128.0 * 256.0 + 256.0;
    assert!((sum("nonzero") - 0.1 * weights).abs() < 3.0, "{found}");
    assert!(sum("values") <= 4.0 * 16.0, "{found}");

    let accuracy = number(&place.ok(&["eval", "small", "--json"]).object()["accuracy"]);
    assert_eq!(accuracy, number(&found["accuracy"]));
    place.ok(&["attack", "small", "--method", "fgsm", "--eps", "0.1", "--quiet"]);
    place.ok(&["export", "small", "--onnx", "small.onnx", "--quiet"]);
    place.ok(&["report", "small", "--quiet"]);
    assert!(place.text("small/report.html").contains("Pruning"));
    let left: Vec<String> = place.tree("small/compress").into_keys().collect();
    assert_eq!(left, ["plan.json"], "rounds are gone when all is done");
}

#[test]
fn channels_are_removed_for_good() {
    let place = with_pictures();
    let words =
        ["compress", "run", "--prune", "0.5", "--structured", "--epochs", "1", "--out", "narrow", "--json"];
    let found = place.ok(&words).objects().pop().unwrap();
    let shapes: Vec<String> =
        found["layers"].as_array().unwrap().iter().map(|layer| layer["shape"].to_string()).collect();
    assert_eq!(shapes, ["[16,1,3,3]", "[32,16,3,3]", "[64,128]", "[2,64]"]);
    place.ok(&["recipe", "check", "narrow/recipe.toml"]);
    let recipe = place.text("narrow/recipe.toml");
    assert!(recipe.contains("\nname = \"convnet\"\n") && !recipe.contains("dropout"), "{recipe}");
    assert_eq!(
        number(&place.ok(&["eval", "narrow", "--json"]).object()["accuracy"]),
        number(&found["accuracy"])
    );
    // A narrow run is plain: it can be pruned again, or made integers.
    place.ok(&["compress", "narrow", "--int8", "--out", "bytes", "--quiet"]);
    place.ok(&[
        "compress",
        "narrow",
        "--prune",
        "0.5",
        "--criterion",
        "two-four",
        "--epochs",
        "0",
        "--out",
        "half",
        "--quiet",
    ]);
    place.ok(&["compress", "narrow", "--share", "3", "--code", "--out", "coded", "--quiet"]);

    let tables = Place::with_run();
    let words = [
        "compress",
        "run",
        "--prune",
        "0.5",
        "--structured",
        "--set",
        "norm=l2",
        "--out",
        "narrow",
        "--quiet",
    ];
    tables.ok(&words);
    assert!(tables.text("narrow/recipe.toml").contains("\nhidden = [3]\n"));
    tables.ok(&["eval", "narrow", "--quiet"]);
}

#[test]
fn what_was_stopped_goes_on_by_the_same_words_and_no_others() {
    let place = Place::with_run();
    let words = |share: &'static str, out: &'static str| {
        ["compress", "run", "--prune", share, "--rounds", "2", "--epochs", "150", "--out", out, "--quiet"]
    };
    place.ok(&words("0.6", "whole"));
    let start = || {
        let mut command = place.command(&words("0.6", "parts"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let wait_for = |file: &str| {
        while !place.path(file).exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let mut killed = start();
    wait_for("parts/compress/round-1/checkpoints/last.safetensors");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let problem = "parts is no run: it has no model.safetensors yet; finish it with the `crucible compress` that began it";
    place.refuses(&["eval", "parts"], 2, problem);
    let problem = "its network was pruned, or is being; `crucible compress` with the words that it was begun with goes on \
                   with that";
    for run in ["parts", "parts/compress/round-1", "whole"] {
        place.refuses(&["train", "--resume", run], 2, &format!("{run} is no run: {problem}"));
    }
    let said = place.run(&words("0.7", "parts"));
    assert!(
        said.code == Some(2) && said.err.starts_with("error: parts was begun with other words: "),
        "{said:?}"
    );

    let child = start();
    wait_for("parts/compress/round-2/checkpoints/last.safetensors");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    place.ok(&words("0.6", "parts"));
    assert!(place.read("parts/model.safetensors") == place.read("whole/model.safetensors"));
    assert_eq!(place.run(&words("0.6", "parts")).code, Some(1), "what is done is not done again");
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let place = with_pictures();
    for (words, message) in [
        (&["--prune", "1.5"][..], "the share to prune lies between 0 and 1, such as 0.9, not at 1.5"),
        (&["--prune", "0"], "the share to prune lies between 0 and 1, such as 0.9, not at 0"),
        (
            &["--prune", "0.9", "--criterion", "two-four"],
            "2:4 leaves two of four weights, a share of 0.5 pruned, not 0.9",
        ),
        (
            &["--prune", "0.5", "--structured", "--rounds", "2"],
            "--rounds is for single weights; whole channels and 2:4 are removed in one round",
        ),
        (
            &["--prune", "0.5", "--criterion", "random"],
            "there is no criterion `random`; there are: magnitude, two-four",
        ),
        (&["--prune", "0.5", "--lr=-1"], "--lr -1: a learning rate is a number above 0"),
        (
            &["--prune", "0.5", "--int8"],
            "--int8 goes with neither --prune, --share nor --code; prune first, and compress the pruned run with --int8",
        ),
    ] {
        place.refuses(&[&["compress", "run", "--out", "bad"], words].concat(), 2, message);
    }
    for words in
        [&["--share", "9"][..], &["--share", "0"], &["--structured"], &["--prune", "0.5", "--rounds", "0"]]
    {
        let words = [&["compress", "run", "--out", "bad"], words].concat();
        assert_eq!(place.run(&words).code, Some(2), "{words:?}");
    }
    assert!(!place.path("bad").exists());
    place.ok(&["compress", "run", "--code", "--out", "coded", "--quiet"]);
    let problem =
        "coded is no run: its network is compressed already; compress the run that it was made from";
    place.refuses(&["compress", "coded", "--prune", "0.5", "--out", "bad"], 2, problem);
}
