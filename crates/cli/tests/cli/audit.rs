//! Audits of what training promises, and what can be extracted from a run.

use serde_json::Value;

use crate::support::{Place, idx_folder};

/// A job on tables; `more` is added to its recipe.
fn with_job(more: &str) -> Place {
    let place = Place::with_tables();
    place.edit("job.toml", "batch_norm = true\n", "");
    let job = place.text("job.toml");
    place.write("job.toml", job + more);
    place
}

const PRIVATE: &str = "\n[train.privacy]\nepsilon = 4.0\ndelta = 0.001\nclip = 1.0\n";

const AUDIT: [&str; 6] = ["privacy", "audit", "run", "--canaries=60", "--guesses=20", "--json"];

fn last(place: &Place, args: &[&str]) -> Value {
    place.ok(args).objects().pop().unwrap()
}

#[test]
fn a_private_run_is_audited_once() {
    let place = with_job(PRIVATE);
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    let found = last(&place, &AUDIT);
    let number = |key: &str| found[key].as_f64().unwrap();
    assert_eq!(
        (&found["canaries"], &found["guesses"], &found["passed"]),
        (&60.into(), &20.into(), &true.into())
    );
    assert!(number("right") <= 20.0 && number("epsilon_lower") <= number("claimed_epsilon"), "{found}");
    assert!(number("claimed_epsilon") <= 4.0 && number("claimed_epsilon") > 3.5, "{found}");
    assert_eq!((number("delta"), number("confidence")), (0.001, 0.95));
    let report = place.text("run/report.html");
    assert!(
        report.contains("Audit of the privacy of training") && report.contains("The promise stands"),
        "{report}"
    );
    // The coins and the training are kept: the same answer again.
    let kept = place.text("run/audit/canaries.json");
    assert_eq!(last(&place, &AUDIT), found);
    assert_eq!(place.text("run/audit/canaries.json"), kept);
    // Others need an audit of their own, whose coins differ.
    place.refuses(
        &["privacy", "audit", "run", "--canaries=60", "--guesses=10"],
        2,
        "run/audit was begun with --canaries 60 --guesses 20 --confidence 0.95, and what is chosen after the outcome was \
         seen proves nothing; give these, or another folder with --out",
    );
    place.ok(&[&AUDIT[..], &["--out=other"]].concat());
    assert_ne!(place.text("other/canaries.json"), kept);
    place.refuses(
        &["train", "--resume", "run/audit"],
        2,
        "run/audit is no run: it is an audit's; go on with it by `crucible privacy audit`",
    );
}

/// Eighty pictures, learned by heart; `more` is added to the recipe.
fn with_pictures(more: &str) -> Place {
    let place = Place::empty();
    idx_folder(&place, "pictures");
    let job = "[data]\nsource = \"idx\"\npath = \"pictures\"\n[model]\nname = \"mlp\"\nhidden = [32]\n[train]\n\
               epochs = 100\nbatch_size = 8\n[train.optimizer]\nname = \"adam\"\nlr = 0.01\n";
    place.write("job.toml", format!("{job}{more}"));
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    place
}

/// Without noise most canaries are told, always the same way.
#[test]
fn a_run_that_promises_nothing_is_measured() {
    let place = with_pictures("");
    // Few, so that most labels are right and the wrong ones are learned only where they were seen.
    let audit = ["privacy", "audit", "run", "--canaries=24", "--guesses=16", "--json"];
    let found = last(&place, &audit);
    assert!(found["claimed_epsilon"].is_null() && found["passed"].is_null(), "{found}");
    assert_eq!(found["delta"], 1e-5);
    assert!(found["right"].as_u64().unwrap() >= 15, "{found}");
    assert!(found["epsilon_lower"].as_f64().unwrap() > 0.7, "{found}");
    assert_eq!(last(&place, &[&audit[..], &["--out=again"]].concat())["right"], found["right"]);
    assert!(place.text("run/report.html").contains("Nothing is promised"));
}

/// A ledger that is made to say that there was far more noise than there was: the promise is broken, and that is told.
#[test]
fn a_broken_promise_is_an_exit_status_of_1() {
    let place = with_pictures("[train.privacy]\nnoise = 0.05\ndelta = 1e-5\nclip = 1.0\nseeded = true\n");
    let honest = last(&place, &AUDIT);
    assert_eq!(honest["passed"], true, "{honest}");
    let mut ledger: Value = serde_json::from_str(&place.text("run/audit/privacy/ledger.json")).unwrap();
    ledger["entries"][0]["noise"] = 1000.0.into();
    // Training has ended, so that nobody reads its ledger but the audit.
    place.write("run/audit/privacy/ledger.json", ledger.to_string());
    let said = place.run(&AUDIT);
    let found = said.objects().pop().unwrap();
    assert_eq!((said.code, &found["passed"]), (Some(1), &false.into()), "{found}");
    assert!(place.text("run/report.html").contains("The promise is BROKEN"));
}

#[test]
fn audits_that_cannot_be() {
    let place = Place::with_run();
    let audit = |words: &[&'static str]| [&["privacy", "audit", "run"], words].concat();
    for (words, expected) in [
        (&[][..], "1000 canaries are more than the 77 training examples; take fewer with --canaries"),
        (
            &["--canaries=50", "--guesses=7"],
            "7 guesses about 50 canaries, half of them that one was a member: their number must be even, and at most that \
             of the canaries",
        ),
        (
            &["--canaries=50", "--guesses=10", "--confidence=1"],
            "the confidence is 1, and must lie between 0 and 1, such as 0.95",
        ),
        (
            &["--canaries=50", "--guesses=10", "--out=run"],
            "run holds a run that is no audit; give another folder with --out",
        ),
    ] {
        place.refuses(&audit(words), 2, expected);
    }
    place.ok(&["train", "line.toml", "--out", "numbers", "--quiet"]);
    place.refuses(
        &["privacy", "audit", "numbers"],
        2,
        "this run predicts numbers; an audit gives examples a wrong label, which takes classes",
    );
}

#[test]
fn what_a_network_takes_classes_for_is_shown() {
    let place = Place::empty();
    idx_folder(&place, "pictures");
    place.write(
        "job.toml",
        "[data]\nsource = \"idx\"\npath = \"pictures\"\n[model]\nname = \"mlp\"\nhidden = [8]\n[train]\nepochs = 8\n\
         batch_size = 8\n[train.optimizer]\nname = \"adam\"\nlr = 0.01\n",
    );
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    let extract = ["privacy", "extract", "run", "--json"];
    let found = last(&place, &extract);
    for class in found["classes"].as_array().unwrap() {
        assert!(class["probability"].as_f64().unwrap() > 0.9, "{found}");
    }
    let near = last(&place, &[&extract[..], &["--method=nearest-neighbour", "--set=per_class=3"]].concat());
    assert_eq!((&near["made"], &near["split"]), (&6.into(), &"test".into()), "{near}");
    let ratio = near["ratio"].as_f64().unwrap();
    assert!(ratio > 0.7 && ratio < 1.4, "examples of one distribution, none learned by heart: {near}");
    let report = place.text("run/report.html");
    assert!(
        report.contains("What the network takes each class for") && report.contains("Nearest neighbours")
    );
    place.refuses(
        &["privacy", "extract", "run", "--method=attribute", "--column=x"],
        2,
        "`attribute` guesses a column of a table, but this run reads pictures",
    );
}

#[test]
fn a_column_is_guessed_from_a_table() {
    let place = with_job("");
    // The class is what the column says.
    let rows: Vec<String> =
        (0..120).map(|row| format!("{},{}", ["a", "b"][row % 2], ["left", "right"][row % 2])).collect();
    place.write("points.csv", format!("sign,side\n{}\n", rows.join("\n")));
    place.edit("job.toml", "validation = 0.2", "validation = 0.2\ntest = 0.2");
    place.edit("job.toml", "epochs = 5", "epochs = 40");
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    let extract = ["privacy", "extract", "run", "--method=attribute", "--json"];
    let found = last(&place, &[&extract[..], &["--column=sign"]].concat());
    assert_eq!((&found["train_accuracy"], &found["test_accuracy"]), (&1.0.into(), &1.0.into()), "{found}");
    assert!(found["test_baseline"].as_f64().unwrap() < 0.9 && found["advantage"] == 0.0, "{found}");
    assert!(place.text("run/report.html").contains("Guessing `sign` from the network"));
    last(&place, &["privacy", "extract", "run", "--json"]);
    for (words, expected) in [
        (&["--method=attribute", "--column=colour"][..], "there is no column `colour`; there are: sign"),
        (&["--method=attribute"], "--column NAME belongs to --method attribute: the column that is guessed"),
        (&["--column=sign"], "--column NAME belongs to --method attribute: the column that is guessed"),
        (&["--set=steps=0"], "steps is 0, and must be at least 1"),
        (
            &["--method=theft"],
            "there is no extraction `theft`; there are: inversion, nearest-neighbour, attribute",
        ),
    ] {
        place.refuses(&[&["privacy", "extract", "run"], words].concat(), 2, expected);
    }
    let list = place.ok(&["privacy", "extract", "--list"]).out;
    assert!(list.contains("inversion ") && list.contains("penalty="), "{list}");
}
