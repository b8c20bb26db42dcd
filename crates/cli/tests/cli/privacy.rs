//! Questions about a budget of privacy.

use crate::support::Place;

fn budget(place: &Place, words: &[&str]) -> serde_json::Value {
    let common = ["privacy", "budget", "--rate", "0.04", "--steps", "2250", "--delta", "1e-5", "--json"];
    place.ok(&[&common, words].concat()).objects().remove(0)
}

/// ε by Opacus and by Google's dp-accounting, and the noise by Opacus.
#[test]
fn a_budget_is_that_of_others() {
    let place = Place::empty();
    let found = &budget(&place, &["--noise", "1.5"])["epsilon"];
    let epsilon = |key: &str| found[key].as_f64().unwrap();
    assert!((epsilon("rdp") - 7.329_111).abs() < 5e-4, "{found}");
    assert!(epsilon("pld_lower") <= 6.768_8 && 6.768_7 <= epsilon("pld_upper"), "{found}");
    assert!((epsilon("gdp") - 6.601_567).abs() < 1e-4, "{found}");
    let found = &budget(&place, &["--epsilon", "8"])["noise"];
    for (key, published) in [("rdp", 1.416), ("pld", 1.347_7), ("gdp", 1.323_2)] {
        assert!((found[key].as_f64().unwrap() - published).abs() < 1e-2, "{found}");
    }
}

#[test]
fn a_budget_is_told_as_a_table_and_drawn() {
    let place = Place::empty();
    let words =
        ["privacy", "budget", "--noise", "1", "--rate", "0.01", "--steps", "400", "--plot", "spent.svg"];
    let text = place.ok(&words).out;
    for steps in ["100", "200", "400", "800", "1600"] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(steps)), "{text}");
    }
    assert!(place.text("spent.svg").starts_with("<svg"));
}

#[test]
fn a_budget_of_wrong_numbers_is_wrong_use() {
    let place = Place::empty();
    for (words, expected) in [
        (
            &["--noise", "-1", "--rate", "0.1"][..],
            "the noise is -1, and must be a finite number above 0: the noise's standard deviation over the clipping norm",
        ),
        (
            &["--noise", "1", "--rate", "2"],
            "the sampling rate is 2, and must lie above 0 and be at most 1: the expected share of the examples in a step",
        ),
        (
            &["--noise", "1", "--rate", "0.1", "--delta", "0"],
            "δ is 0, and must lie between 0 and 1; below one over the number of examples is usual, such as 1e-5",
        ),
        (&["--epsilon", "0", "--rate", "0.1"], "ε is 0, and must be a finite number above 0"),
    ] {
        place.refuses(&[&["privacy", "budget", "--steps", "10"], words].concat(), 2, expected);
    }
}

/// A job that can be private: no batch norm.
fn with_private_job() -> Place {
    let place = Place::with_tables();
    place.edit("job.toml", "batch_norm = true\n", "");
    let job = place.text("job.toml");
    place.write("private.toml", job + "\n[train.privacy]\nepsilon = 4.0\ndelta = 0.001\nclip = 1.0\n");
    place
}

#[test]
fn a_private_run_says_what_it_promises() {
    let place = with_private_job();
    let said = place.ok(&["train", "private.toml", "--out", "run", "--json"]);
    let last = said.objects().pop().unwrap();
    let epsilon = last["epsilon"].as_f64().unwrap();
    assert!(epsilon <= 4.0 && epsilon > 3.9, "{last}");
    assert_eq!((&last["delta"], &last["private"]), (&0.001.into(), &true.into()));
    let report = place.text("run/report.html");
    assert!(report.contains("Each training example is protected"));
    assert!(report.contains("means, deviations and levels of columns"), "what the guarantee does not cover");
    let ledger = place.text("run/privacy/ledger.json");
    assert!(ledger.contains("\"last\": 50"), "{ledger}");
    // The report can be written anew, and a run without a guarantee says nothing of one.
    place.ok(&["report", "run"]);
    assert!(place.text("run/report.html").contains("Each training example is protected"));
    let plain = place.ok(&["train", "job.toml", "--out", "plain", "--json"]).objects().pop().unwrap();
    assert!(plain["epsilon"].is_null() && plain["private"].is_null());
    assert!(!place.text("plain/report.html").contains("protected"));
}

#[test]
fn a_seeded_run_says_that_it_is_not_private() {
    let place = with_private_job();
    let words = ["train", "private.toml", "--set=train.privacy.seeded=true", "--out", "run"];
    let said = place.ok(&words).out;
    assert!(said.contains("Warning: `train.privacy.seeded`") && said.contains("NOT private"), "{said}");
    assert!(place.text("run/report.html").contains("NOT private"));
}

#[test]
fn a_budget_that_is_spent_ends_training() {
    let place = with_private_job();
    let words = ["train", "private.toml", "--set=train.privacy.noise=0.9", "--out", "run", "--json"];
    let last = place.ok(&words).objects().pop().unwrap();
    assert_eq!(last["reason"], "budget-spent");
    let (steps, epsilon) = (last["steps"].as_u64().unwrap(), last["epsilon"].as_f64().unwrap());
    assert!(steps > 0 && steps < 50 && epsilon <= 4.0, "{last}");
}

#[test]
fn all_that_is_wrong_with_privacy_is_told_at_once() {
    let place = Place::with_tables();
    let job = place.text("job.toml");
    place.write(
        "private.toml",
        job + "\n[train.privacy]\nepsilon = -1.0\ndelta = 2.0\nclip = 0.0\n\n[defence]\nname = \"fast\"\neps = 0.1\n",
    );
    let said = place.run(&["train", "private.toml", "--out", "run"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
    for words in
        ["ε is -1", "δ is 2", "the clipping norm is 0", "BatchNorm", "layer norm", "a defence looks at"]
    {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    assert!(!place.path("run").exists());
    let place = with_private_job();
    let said = place.ok(&["train", "private.toml", "--set=train.privacy.delta=0.05", "--out", "run"]).out;
    assert!(said.contains("one over the number of training examples (77)"), "{said}");
}
