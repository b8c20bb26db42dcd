//! Runs that are stopped, by force and politely, and go on to the same bytes.

#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Place, Said, noise};

/// Long enough to be stopped in the middle, with checkpoints within its epochs.
const LONG: [&str; 3] = ["--set", "train.epochs=200", "--set=train.checkpoint={ every_steps = 7 }"];

/// With a guarantee: networks with batch norm cannot have one.
const PRIVATE: [&str; 2] =
    ["--set=model.batch_norm=false", "--set=train.privacy={ epsilon = 4.0, delta = 0.001 }"];

fn start(place: &Place, more: &[&str], out: &str) -> Child {
    let args = [&["train", "job.toml"], &LONG[..], more, &["--out", out]].concat();
    let child = place.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The folder appears with its recipe in it; from then on there is a run to go on with.
    while !place.path(out).exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn kill_9_at_20_moments_costs_not_a_bit() {
    let place = Place::with_tables();
    assert!(start(&place, &[], "whole").wait().unwrap().success());
    let wanted = place.read("whole/model.safetensors");
    kill_at_20_moments(
        &place,
        |_| Vec::new(),
        |_, run| {
            assert!(place.read(&format!("{run}/model.safetensors")) == wanted, "{run}");
            for log in ["metrics.jsonl", "events.out.tfevents.crucible"] {
                let lines = |run: &str| place.read(&format!("{run}/{log}")).len();
                // Times differ in their digits, records do not.
                assert!(lines(run).abs_diff(lines("whole")) < lines("whole") / 10, "{run}/{log}");
            }
        },
    );
}

#[test]
fn kill_9_at_20_moments_neither_forgets_nor_doubles_what_privacy_cost() {
    let place = Place::with_tables();
    let seeded = [&PRIVATE[..], &["--set=train.privacy.seeded=true"]].concat();
    assert!(start(&place, &seeded, "whole").wait().unwrap().success());
    let wanted = place.read("whole/model.safetensors");
    // Every other run with draws that nobody can repeat: those cannot be compared, but their ledgers can.
    let more = |number: usize| if number.is_multiple_of(2) { seeded.clone() } else { PRIVATE.to_vec() };
    kill_at_20_moments(&place, more, |number, run| {
        let ledger: Value =
            serde_json::from_slice(&place.read(&format!("{run}/privacy/ledger.json"))).unwrap();
        let entries = ledger["entries"].as_array().unwrap();
        assert_eq!((entries.len(), &entries[0]["first"]), (1, &Value::from(1)), "{run}: {ledger}");
        // 77 training examples by 8, 200 times.
        assert_eq!(entries[0]["last"], 2000, "{run}");
        assert!(!place.path(&format!("{run}/privacy/key.json")).exists(), "{run}");
        let model = place.read(&format!("{run}/model.safetensors"));
        assert_eq!(model == wanted, number.is_multiple_of(2), "{run}");
    });
}

/// Runs that are killed anywhere and resumed, and what must hold of each; `more` are words for its first start.
fn kill_at_20_moments(place: &Place, more: impl Fn(usize) -> Vec<&'static str>, check: impl Fn(usize, &str)) {
    let length = place.read("whole/metrics.jsonl").len() as f64;
    let mut moment = noise(20);
    let mut killed = 0;
    for number in 0..20 {
        let run = format!("run-{number}");
        let mut child = start(place, &more(number), &run);
        // By what it has logged rather than by the clock, so that a busy machine changes nothing; then a little later,
        // anywhere in an epoch.
        let logged = place.path(&format!("{run}/metrics.jsonl"));
        let enough = (length * moment() * 0.9) as u64;
        while std::fs::metadata(&logged).map_or(0, |log| log.len()) < enough {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros((moment() * 3000.0) as u64));
        child.kill().unwrap();
        killed += usize::from(child.wait().unwrap().signal() == Some(9));
        place.ok(&["train", "--resume", &run, "--quiet"]);
        check(number, &run);
    }
    assert!(killed >= 10, "only {killed} of 20 runs were still going when they were killed");
}

#[test]
fn an_interrupt_finishes_the_step_and_says_how_to_go_on() {
    let place = Place::with_tables();
    assert!(start(&place, &[], "whole").wait().unwrap().success());
    // Far more epochs than could be done before the signal comes.
    let endless = ["train", "job.toml", "--set=train.epochs=100000", "--out", "run"];
    let child = place.command(&endless).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !place.path("run/checkpoints/last.safetensors").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let said = Said::new(child.wait_with_output().unwrap());
    assert_eq!((said.code, said.err.as_str()), (Some(130), ""), "{said:?}");
    let last: Vec<&str> = said.out.lines().rev().take(2).collect();
    assert_eq!(last[0], "  crucible train --resume run");
    assert!(
        last[1].starts_with("Stopped at step ") && last[1].ends_with("; everything is saved. Go on with:")
    );
    assert!(!place.path("run/model.safetensors").exists());
    place.refuses(
        &["eval", "run"],
        2,
        "run is no run: it has no model.safetensors yet; finish it with `crucible train --resume run`",
    );

    // The same job with an end: what was learned before the interrupt is part of what comes out.
    place.edit("run/recipe.toml", "epochs = 100000", "epochs = 200");
    let resumed = place.run(&["train", "--resume", "run", "--quiet"]);
    let epochs = place.text("run/metrics.jsonl").lines().filter(|line| line.contains("\"epoch\"")).count();
    if epochs == 200 {
        assert_eq!(resumed.code, Some(0), "{resumed:?}");
        assert!(place.read("run/model.safetensors") == place.read("whole/model.safetensors"));
    }
}

#[test]
fn a_finished_run_that_is_resumed_stays_as_it_is() {
    let place = Place::with_run();
    let model = place.read("run/model.safetensors");
    place.ok(&["train", "--resume", "run", "--quiet"]);
    assert!(place.read("run/model.safetensors") == model);
}
