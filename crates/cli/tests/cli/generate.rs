//! Generators as people and scripts meet them.

use std::process::{Command, Stdio};
use std::time::Duration;

use crucible_data::idx;
use serde_json::Value;

use crate::support::{Place, idx_folder, picture_folder};

/// Two epochs of a small conditional pair on 80 pictures of 8x8.
const JOB: &str = r#"
[data]
source = "idx"
path = "halves"
classes = ["left", "right"]

[gan]
epochs = 2
batch_size = 16
latent = 5
conditional = true
ema = 0.9
objective = "hinge"
penalty = { name = "r1", weight = 0.1 }

[gan.generator]
name = "dcgan"
channels = 6
embedding = 3

[gan.discriminator]
name = "dcgan"
channels = 6
"#;

fn place() -> Place {
    let place = Place::empty();
    idx_folder(&place, "halves");
    place.write("job.toml", JOB);
    place
}

/// Its size and whether it is grey, of 8 bits.
fn header(png: &[u8]) -> ([u32; 2], [u8; 2]) {
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    ([side(16), side(20)], [png[24], png[25]])
}

#[test]
fn a_generator_is_trained_reported_and_asked_for_pictures() {
    let place = place();
    let objects = place.ok(&["train", "job.toml", "--out", "run", "--json"]).objects();
    let epochs: Vec<&Value> = objects.iter().filter(|object| object["event"] == "epoch").collect();
    assert_eq!(epochs.len(), 2);
    for (number, epoch) in (1..).zip(&epochs) {
        assert_eq!(epoch["epoch"], number);
        assert_eq!(epoch["samples"], format!("run/samples/000{number}.png"));
        for key in
            ["generator_loss", "discriminator_loss", "penalty", "real_score", "fake_score", "told", "spread"]
        {
            assert!(epoch[key].is_f64(), "{key}: {epoch}");
        }
        // A row for each class.
        assert_eq!(header(&place.read(&format!("run/samples/000{number}.png"))), ([102, 22], [8, 0]));
    }
    let done = objects.last().unwrap();
    assert_eq!((&done["event"], &done["steps"]), (&"done".into(), &10.into()));
    assert!(place.read("run/samples/training.png").windows(4).any(|part| part == b"acTL"), "it moves");
    let html = place.text("run/report.html");
    assert!(html.contains("What it makes") && html.contains("data:image/png;base64,"));
    place.ok(&["report", "run"]);

    let made = place
        .ok(&["generate", "run", "--count", "5", "--class", "right", "--seed", "3", "--out", "a", "--json"])
        .object();
    assert_eq!(
        (&made["count"], &made["class"], &made["sheet"]),
        (&5.into(), &"right".into(), &"a/sheet.png".into())
    );
    let files: Vec<String> = place.tree("a").into_keys().collect();
    let numbers = (0..5).map(|number| format!("{number:06}.png"));
    let expected: Vec<String> = numbers.chain(["labels.csv", "sheet.png"].map(str::to_owned)).collect();
    assert_eq!(files, expected);
    assert_eq!(header(&place.read("a/000004.png")), ([8, 8], [8, 0]));
    assert_eq!(
        place.text("a/labels.csv").lines().skip(1).filter(|line| line.ends_with(",\"right\"")).count(),
        5
    );
    // The same picture whatever else is asked for, and another by another seed or class.
    let generate = |more: &[&str], out: &str| {
        place.ok(&[&["generate", "run", "--count", "9", "--out", out], more].concat());
        place.read(&format!("{out}/000004.png"))
    };
    let same = generate(&["--class", "right", "--seed", "3"], "b");
    assert_eq!(place.read("a/000004.png"), same);
    assert_ne!(generate(&["--class", "left", "--seed", "3"], "c"), same);
    assert_ne!(generate(&["--class", "right", "--seed", "4"], "d"), same);
    // A walk begins and ends with the pictures of these numbers.
    let walk = ["--class", "right", "--seed", "3", "--interpolate", "4", "1"];
    generate(&walk, "walk");
    assert_eq!(place.read("walk/000000.png"), same);
    assert_eq!(place.read("walk/000008.png"), place.read("a/000001.png"));
    assert!(place.read("walk/walk.png").windows(4).any(|part| part == b"acTL"));
}

#[test]
fn the_same_seed_makes_the_same_run_and_an_interrupt_costs_nothing() {
    let place = place();
    let long = ["--set", "gan.epochs=40", "--set=gan.checkpoint={ every_steps = 3 }"];
    place.ok(&[&["train", "job.toml", "--out", "whole", "--quiet"], &long[..]].concat());
    let mut command = place.command(&[&["train", "job.toml", "--out", "run", "--quiet"], &long[..]].concat());
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    while !place.path("run/samples/0003.png").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!place.path("run/model.safetensors").exists());
    place.ok(&["train", "--resume", "run", "--quiet"]);
    for file in ["model.safetensors", "samples/0040.png", "samples/training.png"] {
        assert_eq!(place.read(&format!("run/{file}")), place.read(&format!("whole/{file}")), "{file}");
    }
    let before = place.read("run/model.safetensors");
    place.ok(&["train", "--resume", "run", "--quiet"]);
    assert_eq!(place.read("run/model.safetensors"), before, "a finished run stays as it is");
}

#[test]
fn recipes_of_generators_are_checked_shown_and_described() {
    let place = place();
    place.ok(&["recipe", "check", "job.toml"]);
    let full = place.ok(&["recipe", "show", "job.toml", "--full"]).out;
    assert!(full.contains("critic_steps = 1") && full.contains("[gan.generator_optimizer]"), "{full}");
    place.write("full.toml", &full);
    assert_eq!(place.ok(&["recipe", "show", "full.toml", "--full"]).out, full);
    let shown = place.ok(&["recipe", "show", "job.toml", "--json", "--set", "gan.epochs=3"]).object();
    assert_eq!((&shown["gan"]["epochs"], &shown["gan"]["objective"]["name"]), (&3.into(), &"hinge".into()));
    let schema = place.ok(&["recipe", "schema", "--json"]).object();
    assert!(schema["properties"]["gan"]["properties"]["latent"].is_object(), "{schema}");
    assert_eq!(schema["else"]["required"], serde_json::json!(["data", "model"]));
    let keys = place.ok(&["recipe", "keys", "--json"]).objects();
    assert!(keys.iter().any(|key| key["path"] == "gan.penalty.name"));
    place.ok(&["data", "inspect", "job.toml", "--no-sheet"]);
    let said = place.run(&["recipe", "check", "job.toml", "--set", "gan.epoch=3"]);
    assert_eq!(said.code, Some(2));
    let words = "error: --set gan.epoch=3: unknown key `epoch` in [gan]\n      = did you mean `epochs`? ";
    assert!(said.err.starts_with(words), "{said:?}");
}

#[test]
fn a_generator_answers_nothing_and_a_network_that_answers_makes_no_pictures() {
    let place = Place::with_run();
    idx_folder(&place, "halves");
    place.write("gan.toml", JOB);
    place.ok(&["train", "gan.toml", "--out", "gan", "--quiet", "--set", "gan.epochs=1"]);
    place.write("x.png", crate::support::png(0, 1));
    let words = "gan holds a generator, which makes pictures and answers nothing: `crucible generate gan` asks it for some, \
                 `crucible report gan` writes its report anew, and `crucible train --resume gan` goes on with its training";
    for args in [
        &["predict", "gan", "x.png"][..],
        &["explain", "gan"],
        &["attack", "gan"],
        &["certify", "gan"],
        &["compress", "gan", "--int8"],
        &["export", "gan", "--onnx", "net.onnx"],
        &["model", "summary", "gan"],
        &["privacy", "attack", "gan"],
        &["privacy", "audit", "gan"],
        &["privacy", "extract", "gan"],
    ] {
        place.refuses(args, 2, words);
    }
    place.refuses(
        &["eval", "gan"],
        2,
        "gan holds a generator, whose pictures are measured by a classifier of the same pictures: `crucible train mnist-cnn \
         --out judge`, then `--by judge`",
    );
    place.refuses(
        &["eval", "gan", "--by", "run"],
        2,
        "--by run: it reads 4 values, and the pictures are 1x8x8",
    );
    let words = "run is no generator: it holds a network that answers, and no generator; `crucible predict run FILE` asks it";
    place.refuses(&["generate", "run"], 2, words);
    place.refuses(&["generate", "gan", "--class", "up"], 2, "there is no class `up`; there are left, right");
    place.refuses(&["generate", "gan", "--out", "halves"], 2, "halves is not empty; give another `--out`");
    let walk = ["generate", "gan", "--count", "1", "--interpolate", "1", "2"];
    place.refuses(&walk, 2, "a walk from one picture to another takes at least `--count 2`");
    place.ok(&[
        "train",
        "gan.toml",
        "--out",
        "any",
        "--quiet",
        "--set",
        "gan.epochs=1",
        "--set",
        "gan.conditional=false",
    ]);
    place.refuses(
        &["generate", "any", "--class", "left"],
        2,
        "any was trained without `gan.conditional`, and cannot be asked for a class",
    );
    place.refuses(
        &["model", "summary", "gan.toml"],
        2,
        "gan.toml is the recipe of a generator (`[gan]`), and this is for a network that answers; `crucible train` trains it, and \
         `crucible generate` makes pictures by it then",
    );
}

#[test]
fn what_no_generator_can_learn_is_refused_before_anything_is_written() {
    let place = place();
    place.write("table.csv", "x,side\n1,left\n2,right\n3,left\n4,right\n");
    let table = JOB.replace(
        "source = \"idx\"\npath = \"halves\"\nclasses = [\"left\", \"right\"]",
        "source = \"csv\"\npath = \"table.csv\"\ntarget = \"side\"",
    );
    place.write("table.toml", table);
    place.refuses(
        &["train", "table.toml"],
        2,
        "the table data: a generator makes pictures, and these are rows of a table",
    );
    for (split, count) in [("train", 20u32), ("t10k", 4)] {
        place.write(
            &format!("wide/{split}-images-idx3-ubyte"),
            idx::write(&[count, 6, 8], &vec![7; count as usize * 48]),
        );
        let labels: Vec<u8> = (0..count).map(|i| (i % 2) as u8).collect();
        place.write(&format!("wide/{split}-labels-idx1-ubyte"), idx::write(&[count], &labels));
    }
    place.refuses(
        &["train", "job.toml", "--set", "data.path=wide"],
        2,
        "the wide data: a generator makes square pictures, and these are 6 high and 8 wide; the source `images` resizes them to \
         `data.height` and `data.width`",
    );
    place.refuses(
        &["train", "job.toml", "--set", "gan.batch_size=81"],
        2,
        "`gan.batch_size`: a batch of 81 cannot be made of 80 training pictures",
    );
    let said = place.run(&["train", "job.toml", "--set", "gan.discriminator.normalization=batch"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("a penalty on gradients looks at each picture alone"), "{said:?}");
    let said = place.run(&["train", "job.toml", "--set", "data.normalize=unit"]);
    assert!(said.code == Some(2) && said.err.contains("and so must real ones"), "{said:?}");
    assert!(!place.path("runs").exists());

    let wild =
        ["train", "job.toml", "--out", "wild", "--set=gan.generator_optimizer={ name = \"sgd\", lr = 1e30 }"];
    let said = place.run(&wild);
    assert_eq!(said.code, Some(1));
    assert!(said.err.starts_with("error: training diverged at step "), "{said:?}");
    let said = place.run(&["generate", "wild"]);
    assert!(said.code == Some(2) && said.err.contains("it has no model.safetensors yet"), "{said:?}");
}

#[test]
fn pictures_of_a_folder_are_learned_in_colour() {
    let place = Place::empty();
    picture_folder(&place, "pictures");
    let job = JOB.replace(
        "source = \"idx\"\npath = \"halves\"\nclasses = [\"left\", \"right\"]",
        "source = \"images\"\npath = \"pictures\"\nchannels = 3\nwidth = 9\nheight = 9",
    );
    place.write("job.toml", job);
    place.ok(&[
        "train",
        "job.toml",
        "--out",
        "run",
        "--quiet",
        "--set=gan.generator={ name = \"residual\", channels = 4 }",
    ]);
    place.ok(&["generate", "run", "--count", "2", "--out", "made"]);
    assert_eq!(header(&place.read("made/000001.png")), ([9, 9], [8, 2]));
}

#[test]
fn pictures_are_measured_by_a_classifier() {
    let place = place();
    place.ok(&["train", "job.toml", "--out", "gan", "--quiet", "--set", "gan.epochs=1"]);
    let data = "[data]\nsource = \"idx\"\npath = \"halves\"\nclasses = [\"left\", \"right\"]\n";
    place.write(
        "judge.toml",
        format!("{data}[model]\nname = \"mlp\"\nhidden = [6]\n[train]\nepochs = 20\nbatch_size = 8\n"),
    );
    place.ok(&["train", "judge.toml", "--out", "judge", "--quiet"]);
    let eval = ["eval", "gan", "--by", "judge", "--count", "40", "--json"];
    let found = place.ok(&eval).object();
    assert_eq!(
        (&found["samples"], &found["real"], &found["resize"]),
        (&40.into(), &20.into(), &"none".into())
    );
    assert!(found["extractor"].as_str().unwrap().contains("6 of them"), "{found}");
    let number = |key: &str| found[key].as_f64().unwrap();
    // Two halves of the same are closer than what was hardly trained.
    assert!(number("frechet_distance") > number("frechet_distance_of_halves"), "{found}");
    assert!(
        (0.0..=1.0).contains(&number("confident")) && (0.0..=1.0).contains(&number("as_asked")),
        "{found}"
    );
    let counts: u64 =
        found["class_counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(counts, 40);
    assert_eq!(place.ok(&eval).object(), found, "the same pictures again");
    assert!(place.text("gan/report.html").contains("What its pictures are like"));
}
