//! Attacks that tell which examples a run was trained on.

#![cfg(unix)]

use std::fmt::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Place, Said, idx_folder, noise};

/// Labels that mean nothing, so that all that can be learned is by heart.
const BY_HEART: &str = r#"
[data]
source = "csv"
path = "noise.csv"
target = "side"
test = 0.5

[model]
name = "mlp"
hidden = [64]

[train]
epochs = 60
batch_size = 16

[train.optimizer]
name = "adam"
lr = 0.01
"#;

/// 100 rows to learn from and 100 others.
fn with_noise() -> Place {
    let place = Place::empty();
    let mut noise = noise(3);
    let mut text = "a,b,c,d,e,f,g,h,colour,side\n".to_owned();
    for _ in 0..200 {
        (0..8).for_each(|_| write!(text, "{:.4},", noise() * 2.0 - 1.0).unwrap());
        let colour = ["red", "blue"][usize::from(noise() < 0.5)];
        writeln!(text, "{colour},{}", if noise() < 0.5 { "left" } else { "right" }).unwrap();
    }
    place.write("noise.csv", text);
    place.write("job.toml", BY_HEART);
    place
}

fn with_run() -> Place {
    let place = with_noise();
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    place
}

const ATTACK: [&str; 5] = ["privacy", "attack", "run", "--shadows", "8"];

fn attack(place: &Place, words: &[&str]) -> Vec<Value> {
    place.ok(&[&ATTACK, words, &["--json"]].concat()).objects()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_run_that_learned_by_heart_is_found_out() {
    let place = with_run();
    let objects = attack(&place, &[]);
    let names: Vec<&str> = objects.iter().map(|object| object["attack"].as_str().unwrap()).collect();
    assert_eq!(names.last(), Some(&"lira-online"));
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let all = ["calibrated-loss", "label-only", "lira-offline", "lira-online", "loss", "rmia"];
    assert_eq!(sorted, all);
    for object in &objects {
        let auc = number(&object["auc"]);
        assert!(auc > 0.65, "{object}");
        let [low, high] = [0, 1].map(|end| number(&object["auc_interval"][end]));
        assert!(0.6 < low && low <= auc && auc <= high && high <= 1.0, "{object}");
        for rate in ["0.001", "0.01"] {
            let found = number(&object["tpr_at_fpr"][rate]);
            let [low, high] = [0, 1].map(|end| number(&object["tpr_at_fpr_interval"][rate][end]));
            assert!(0.0 <= low && low <= found && found <= high && high <= 1.0, "{object}");
        }
        assert_eq!((&object["members"], &object["nonmembers"]), (&100.into(), &100.into()));
        let shadows =
            if ["label-only", "loss"].contains(&object["attack"].as_str().unwrap()) { 0 } else { 8 };
        assert_eq!(object["shadows"], shadows);
        assert_eq!(object["section"], "run/findings/membership.json");
        assert_eq!(object["report"], "run/report.html");
        let warnings = object["warnings"].to_string();
        assert!(warnings.contains("0.1% of 100 examples") && !warnings.contains("1% of 1000"), "{warnings}");
    }
    let strongest = objects.last().unwrap();
    assert!(
        number(&strongest["auc"]) > 0.8 && number(&strongest["tpr_at_fpr"]["0.01"]) > 0.05,
        "{strongest}"
    );

    // What labels alone tell is the gap between the accuracies, as `eval` measures them.
    let accuracy = |split: &str| {
        let found = place.ok(&["eval", "run", "--split", split, "--json"]).object();
        number(&found["accuracy"])
    };
    let gap = accuracy("train") - accuracy("test");
    let labels = objects.iter().find(|object| object["attack"] == "label-only").unwrap();
    assert!((number(&labels["auc"]) - (0.5 + gap / 2.0)).abs() < 1e-9, "{labels}");

    let section = place.text("run/findings/membership.json");
    assert!(
        section.contains("\"log_x\": true") && section.contains("guessing") && section.contains("train#")
    );
    place.ok(&["report", "run"]);
    let report = place.text("run/report.html");
    for words in ["Which examples it was trained on", "lira-online", "the most certain of", "colour"] {
        assert!(report.contains(words), "{words}");
    }
}

#[test]
fn shadows_are_trained_once_and_do_not_depend_on_threads() {
    let place = with_run();
    place.copy("run", "one");
    let first = attack(&place, &["--method", "lira-online"]);
    let shadows = place.tree("run/shadows");
    let models = |run: &str| -> Vec<Vec<u8>> {
        (0..8).map(|number| place.read(&format!("{run}/shadows/{number}/model.safetensors"))).collect()
    };
    let again = attack(&place, &["--method", "lira-online"]);
    assert_eq!(first, again);
    assert!(shadows == place.tree("run/shadows"), "nothing is written again");
    // Fewer examples and other attacks go by the same shadows.
    let few = attack(&place, &["--count", "10", "--method", "rmia", "--method", "loss"]);
    assert_eq!(few.len(), 2);
    assert!(few.iter().all(|object| object["members"] == 10 && object["nonmembers"] == 10));
    assert!(shadows == place.tree("run/shadows"));

    let mut alone = place.command(&["privacy", "attack", "one", "--shadows", "8", "--quiet"]);
    let said = Said::new(alone.env("RAYON_NUM_THREADS", "1").output().unwrap());
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "", ""));
    assert!(models("run") == models("one"));
}

#[test]
fn what_needs_no_shadow_trains_none() {
    let place = with_run();
    let objects = attack(&place, &["--method", "loss", "--method", "label-only", "--method", "loss"]);
    assert_eq!(objects.len(), 2);
    assert!(number(&objects[0]["auc"]) <= number(&objects[1]["auc"]), "the one that tells most is the last");
    let none = place.ok(&["privacy", "attack", "run", "--shadows", "0", "--json"]).objects();
    assert_eq!(objects, none);
    assert!(!place.path("run/shadows").exists());
    let text = place.ok(&["privacy", "attack", "run", "--shadows", "0"]).out;
    assert!(text.contains("found at 1% false alarms") && text.contains("Warning: 0.1% of 100"), "{text}");
    let list = place.ok(&["privacy", "attack", "--list"]).out;
    assert!(list.contains("label-only") && list.contains("needs at least 2 shadow models"), "{list}");
}

#[test]
fn pictures_that_are_the_most_exposed_are_shown() {
    let place = Place::empty();
    idx_folder(&place, "pictures");
    let job = BY_HEART.replace("csv", "idx").replace("noise.idx", "pictures");
    place.write("job.toml", job.replace("target = \"side\"\n", "").replace("epochs = 60", "epochs = 3"));
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    let last = attack(&place, &[]).pop().unwrap();
    // 80 pictures to learn from, and 20 others.
    assert_eq!((&last["members"], &last["nonmembers"]), (&20.into(), &20.into()));
    assert!(last["warnings"].to_string().contains("about 20 examples each and the run on 80"), "{last}");
    assert!(place.text("run/report.html").contains("alt=\"Training example "));
}

#[test]
fn the_recipes_own_rule_trains_the_shadows() {
    let place = with_noise();
    let private = [
        "--set=train.privacy={ noise = 1.0, delta = 0.001, seeded = true }",
        "--set=train.epochs=2",
        "--set=train.early_stopping={ patience = 1 }",
        "--set=data.validation=0.1",
    ];
    place.ok(&[&["train", "job.toml", "--out", "run", "--quiet"], &private[..]].concat());
    let last = attack(&place, &[]).pop().unwrap();
    assert!(number(&last["auc"]) > 0.2, "{last}");
    assert!(place.text("run/shadows/7/privacy/ledger.json").contains("\"seeded\": true"));
    assert!(place.text("run/shadows/7/metrics.jsonl").contains("validation_loss"));
}

#[test]
fn interrupted_shadows_are_gone_on_with_to_the_same_bytes() {
    let place = with_run();
    place.copy("run", "whole");
    let child = place.command(&ATTACK).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !place.path("run/shadows/0/checkpoints/last.safetensors").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let said = Said::new(child.wait_with_output().unwrap());
    assert_eq!((said.code, said.err.as_str()), (Some(130), ""), "{said:?}");
    let last: Vec<&str> = said.out.lines().rev().take(2).collect();
    assert_eq!(last[0], "  crucible privacy attack run --shadows 8");
    assert!(
        last[1].ends_with(" of 8 shadow models trained; everything is saved. Go on with:"),
        "{}",
        last[1]
    );
    assert!(!place.path("run/findings/membership.json").exists());
    let done = |run: &str| {
        (0..8).filter(|n| place.path(&format!("{run}/shadows/{n}/model.safetensors")).exists()).count()
    };
    assert!(done("run") < 8);

    place.refuses(
        &["train", "--resume", "run/shadows/0"],
        2,
        "run/shadows/0 is no run: it holds a shadow model, whose data only the run that it is a shadow of knows; \
         `crucible privacy attack` with that run goes on with it",
    );
    let resumed = attack(&place, &[]);
    let whole = place.ok(&["privacy", "attack", "whole", "--shadows", "8", "--json"]).objects();
    assert_eq!(resumed.last().unwrap()["auc"], whole.last().unwrap()["auc"]);
    for number in 0..8 {
        let model = |run: &str| place.read(&format!("{run}/shadows/{number}/model.safetensors"));
        assert!(model("run") == model("whole"), "{number}");
    }
}

#[test]
fn shadows_of_another_plan_are_refused() {
    let place = with_run();
    place.ok(&["privacy", "attack", "run", "--shadows", "2", "--quiet"]);
    let holds = "run/shadows holds shadow models of another plan:";
    place.refuses(
        &ATTACK,
        2,
        &format!(
            "{holds} there are 2 of them, and 8 are asked for; give `--shadows 2`, or remove it to train new ones"
        ),
    );
    place.edit("run/recipe.toml", "epochs = 60", "epochs = 61");
    place.refuses(
        &["privacy", "attack", "run", "--shadows", "2"],
        2,
        &format!("{holds} the run's recipe has changed since; remove it to train new ones"),
    );
    std::fs::remove_file(place.path("run/shadows/plan.json")).unwrap();
    place.refuses(
        &ATTACK,
        2,
        "run/shadows holds shadow models, but no plan.json that says what they were trained on; remove it to train new \
         ones",
    );
}

#[test]
fn questions_that_membership_cannot_answer() {
    let place = with_run();
    place.refuses(
        &["privacy", "attack", "run", "--method", "lria"],
        2,
        "there is no membership attack `lria`; there are: label-only, loss, calibrated-loss, lira-online, lira-offline, rmia",
    );
    for shadows in ["1", "7"] {
        place.refuses(
            &["privacy", "attack", "run", "--shadows", shadows],
            2,
            &format!(
                "there are {shadows} shadow models, and must be an even number of at least 2: half of them are trained on \
                 an example, and half are not"
            ),
        );
    }
    place.refuses(
        &["privacy", "attack", "run", "--method", "lira-online", "--shadows", "0"],
        2,
        "lira-online needs at least 2 shadow models, and `--shadows` is 0",
    );
    place.edit("run/recipe.toml", "test = 0.5", "test = 0.0");
    let said = place.run(&["privacy", "attack", "run"]);
    assert_eq!(said.code, Some(1), "the data are others then: {said:?}");

    let place = Place::with_tables();
    place.ok(&["train", "line.toml", "--out", "numbers", "--quiet"]);
    place.refuses(
        &["privacy", "attack", "numbers"],
        2,
        "this run predicts numbers; attacks and attributions need a network that tells classes apart",
    );
    place.ok(&["train", "job.toml", "--set=data.test=0.0", "--out", "all", "--quiet"]);
    place.refuses(
        &["privacy", "attack", "all"],
        2,
        "members are told from examples that the run was not trained on, but its data have no test split; set `data.test` \
         in the recipe and train a new run",
    );
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    std::fs::remove_file(place.path("run/model.safetensors")).unwrap();
    place.refuses(
        &["privacy", "attack", "run"],
        2,
        "run is no run: it has no model.safetensors yet; finish it with `crucible train --resume run`",
    );
}
