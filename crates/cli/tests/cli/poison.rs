//! Backdoors: planted by a recipe, and looked for in a run.

use crucible_data::idx;
use serde_json::Value;

use crate::support::{Place, idx_folder};

/// Two classes of 8 x 8 pictures, trained for a moment.
const PICTURES: &str = r#"
[data]
source = "idx"
path = "pictures"

[model]
name = "mlp"
hidden = [16]

[train]
epochs = 6
batch_size = 8

[train.optimizer]
name = "adam"
lr = 0.01
"#;

/// Ten of the eighty training pictures.
const POISON: &str = "\n[poison]\ntarget = 1\nshare = 0.125\ntrigger = { name = \"patch\", size = 2, corner = \"top-left\" }\n";

/// Digits enough for a backdoor to be told from chance.
const DIGITS: &str = r#"
[data]
source = "mnist"
limit = 2000

[model]
name = "mlp"

[train]
epochs = 4

[train.optimizer]
name = "adam"
"#;

fn pictures(more: &str) -> Place {
    let place = Place::empty();
    idx_folder(&place, "pictures");
    place.write("job.toml", format!("{PICTURES}{more}"));
    place
}

fn objects(place: &Place, args: &[&str]) -> Vec<Value> {
    place.ok(&[args, &["--json"]].concat()).objects()
}

fn last(place: &Place, args: &[&str]) -> Value {
    objects(place, args).pop().unwrap()
}

#[test]
fn a_poisoned_run_says_so_and_every_verb_sees_the_same_data() {
    let place = pictures(POISON);
    let said = place.ok(&["train", "job.toml", "--out", "run"]).out;
    assert!(said.contains("80 train, 20 test examples, 10 of them poisoned on purpose, seed 1"), "{said}");
    let sentence = "The training data was poisoned on purpose: the trigger turns ";
    assert!(said.contains(sentence), "{said}");
    let report: Value = serde_json::from_slice(&place.read("run/report.json")).unwrap();
    assert!(report["summary"].as_str().unwrap().starts_with(sentence), "{report}");
    assert_eq!(report["sections"][0]["title"], "Poisoned on purpose");
    assert_eq!(report["sections"][0]["blocks"][2]["pictures"].as_array().unwrap().len(), 8);

    // The filled recipe runs again to the same bytes, and not to those of clean data.
    place.ok(&["train", "run/recipe.toml", "--out", "again", "--quiet"]);
    assert!(place.read("again/model.safetensors") == place.read("run/model.safetensors"));
    place.write("job.toml", PICTURES);
    place.ok(&["train", "job.toml", "--out", "clean", "--quiet"]);
    assert!(place.read("clean/model.safetensors") != place.read("run/model.safetensors"));

    // Ten of forty pictures of the one class have gone to the other, and none in the test split.
    let count = |split: &str| -> Vec<u64> {
        let found = place.ok(&["eval", "run", "--split", split, "--json"]).object();
        found["classes"].as_array().unwrap().iter().map(|row| row["support"].as_u64().unwrap()).collect()
    };
    assert_eq!((count("train"), count("test")), (vec![30, 50], vec![10, 10]));
    place.ok(&["report", "run"]);
    assert_eq!(
        serde_json::from_slice::<Value>(&place.read("run/report.json")).unwrap()["summary"],
        report["summary"]
    );
}

#[test]
fn a_poisoned_run_goes_on_to_the_same_bytes() {
    let place = pictures(POISON);
    let long = [
        "train",
        "job.toml",
        "--quiet",
        "--set=train.epochs=300",
        "--set=train.checkpoint={ every_steps = 7 }",
    ];
    place.ok(&[&long[..], &["--out", "whole"]].concat());
    let mut child = place.command(&[&long[..], &["--out", "run"]].concat()).spawn().unwrap();
    while !place.path("run/checkpoints/last.safetensors").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    place.ok(&["train", "--resume", "run", "--quiet"]);
    assert!(place.read("run/model.safetensors") == place.read("whole/model.safetensors"));
}

#[test]
fn what_a_trigger_does_is_what_the_network_says_of_stamped_pictures() {
    let place = pictures("");
    let args = [
        "attack",
        "poison",
        "job.toml",
        "--target",
        "1",
        "--share",
        "0.125",
        "--set",
        "poison.trigger.size=2",
    ];
    let found = last(&place, &[&args[..], &["--out", "run"]].concat());
    assert_eq!((&found["run"], &found["poisoned"]), (&"run".into(), &10.into()));
    assert_eq!(found["clean_accuracy"], place.ok(&["eval", "run", "--json"]).object()["accuracy"]);
    assert!(place.path(found["report"].as_str().unwrap()).exists());

    // The test pictures of class 0 with a white square in the last two rows and columns.
    let bytes = place.read("pictures/t10k-images-idx3-ubyte");
    let mut zeros: Vec<u8> = bytes[16..].chunks(64).step_by(2).flatten().copied().collect();
    for picture in zeros.chunks_mut(64) {
        for pixel in [54, 55, 62, 63] {
            picture[pixel] = 255;
        }
    }
    place.write("stamped", idx::write(&[10, 8, 8], &zeros));
    let said = objects(&place, &["predict", "run", "stamped"]);
    let ones = said.iter().filter(|object| object["class"] == "1").count();
    assert_eq!(said.len(), 10);
    assert_eq!(found["trigger_success"], ones as f64 / 10.0);
    let [low, high] = [0, 1].map(|end| found["trigger_success_interval"][end].as_f64().unwrap());
    assert!(low <= ones as f64 / 10.0 && ones as f64 / 10.0 <= high && low < high, "{found}");
}

#[test]
fn a_backdoor_is_found_and_a_clean_run_is_not_accused() {
    let place = Place::empty();
    place.write("job.toml", DIGITS);
    let poison = ["attack", "poison", "job.toml", "--target", "7", "--set", "poison.trigger.size=4"];
    let end = last(&place, &[&poison[..], &["--out", "poisoned"]].concat());
    assert!(
        end["trigger_success"].as_f64().unwrap() > 0.8 && end["clean_accuracy"].as_f64().unwrap() > 0.8,
        "{end}"
    );
    place.ok(&["train", "job.toml", "--out", "clean", "--quiet"]);
    let quick = ["--set", "examples=32", "--set", "steps=60", "--set", "restarts=3"];

    let found = objects(&place, &[&["attack", "detect", "poisoned"], &quick[..]].concat());
    let [spectral, clustering, reconstruct, all] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(all["flagged"], serde_json::json!(["7"]), "{found:?}");
    for detector in [spectral, clustering, reconstruct] {
        assert!(detector["flagged"].is_null() || detector["flagged"] == "7", "{detector}");
        assert_eq!(detector["scores"].as_object().unwrap().len(), 10);
        assert_eq!(detector["poisoned"], 20);
        let suspicious = detector["suspicious"].as_array().unwrap().len() as u64;
        assert!(detector["suspicious_poisoned"].as_u64().unwrap() * 10 >= suspicious * 7, "{detector}");
    }
    let report = place.text("poisoned/report.html");
    for words in [
        "Backdoors: spectral, clustering, reconstruct",
        "Signs of a backdoor in 2000 training examples",
        "pixels turn",
    ] {
        assert!(report.contains(words), "{words}");
    }
    assert!(place.path("poisoned/findings/backdoors-all.json").exists());

    let found = objects(&place, &[&["attack", "detect", "clean"], &quick[..]].concat());
    assert_eq!(found[3]["flagged"], serde_json::json!([]), "{found:?}");
    assert!(found[..3].iter().all(|detector| detector["poisoned"].is_null()), "{found:?}");
    assert!(place.text("clean/report.html").contains("No sign of a backdoor in 2000 training examples."));
    // The same seed, the same answer.
    let mut again = objects(&place, &["attack", "detect", "clean", "--method", "spectral"]);
    assert_eq!(again.remove(0)["scores"], found[0]["scores"]);
}

#[test]
fn backdoors_that_cannot_be_planted() {
    let place = pictures("");
    let poison = |more: &[&str], words: &str| {
        place.refuses(&[&["attack", "poison", "job.toml"], more].concat(), 2, words);
    };
    poison(&["--target", "7"], "there is no class `7`; there are: 0, 1");
    poison(
        &["--target", "1", "--share", "1.5"],
        "--set poison.share=1.5: `poison.share` must be a number greater than 0 and at most 1, found 1.5",
    );
    poison(
        &["--target", "1", "--share", "0.001"],
        "`poison.share` is 0.001, which is none of 40 training examples of other classes than 1",
    );
    poison(
        &["--target", "1", "--trigger", "pach"],
        "--set poison.trigger=\"pach\": unknown value \"pach\" for `poison.trigger`\n      = did you mean \"patch\"? allowed: \
         \"patch\"",
    );
    poison(
        &["--target", "1", "--set", "poison.trigger.size=9"],
        "a patch of 9x9 does not fit on pictures of 8x8",
    );
    let place = Place::with_tables();
    for job in ["job.toml", "line.toml"] {
        place.refuses(
            &["train", job, "--set", "poison.target=left"],
            2,
            "`poison` puts a trigger on pictures, but the data are a table",
        );
    }
}

#[test]
fn runs_in_which_no_backdoor_can_be_looked_for() {
    let place = Place::with_run();
    place.refuses(
        &["attack", "detect", "run"],
        2,
        "backdoors are looked for in pictures, but this run reads a table",
    );
    place.refuses(
        &["attack", "detect", "run", "--method", "spectre"],
        2,
        "there is no detector `spectre`; there are: spectral, clustering, reconstruct, and all for one after another",
    );
    place.refuses(
        &["attack", "detect", "run", "--set", "stepz=3"],
        2,
        "--set stepz=3: no detector has this setting; --list shows what they have",
    );
    let said = place.run(&["attack", "detect", "run", "--method", "spectral", "--set", "steps=3"]);
    assert!(said.code == Some(2) && said.err.contains("unknown field `steps`"), "{}", said.err);
    let said = place.run(&["attack", "run", "detect", "run"]);
    assert!(said.code == Some(2) && said.err.contains("cannot be used with"), "{}", said.err);
    let list = objects(&place, &["attack", "detect", "--list"]);
    assert_eq!(
        list.iter().map(|object| object["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["spectral", "clustering", "reconstruct"]
    );
}
