//! The gate: a run held against the limits in its recipe.

use serde_json::Value;

use crate::support::{Place, Said, idx_folder};

/// Limits that a run on `points.csv` keeps, breaks, and cannot be decided on.
const LIMITS: &str = r#"
[audit]
accuracy = { min = 0.6 }
ece = [{ max = 0.9 }, { max = 0.9, bins = 5, binning = "mass" }]
demographic_parity_difference = { group = "colour", max = 0.95, least = 2, favourable = "right" }
"#;

fn with_limits(limits: &str) -> Place {
    let place = Place::with_tables();
    let job = place.text("job.toml");
    place.write("job.toml", job + limits);
    place.ok(&["train", "job.toml", "--out", "run", "--quiet", "--set", "train.epochs=40"]);
    place
}

fn audit(place: &Place, more: &[&str]) -> (Said, Vec<Value>) {
    let said = place.run(&[&["audit", "run", "--json"], more].concat());
    assert_eq!(said.err, "", "{said:?}");
    let objects = said.objects();
    (said, objects)
}

fn pick<'a>(objects: &'a [Value], key: &str) -> Vec<&'a str> {
    objects.iter().filter_map(|object| object[key].as_str()).collect()
}

#[test]
fn a_run_that_keeps_its_limits_passes_and_leaves_reports() {
    let place = with_limits(LIMITS);
    let (said, objects) = audit(&place, &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(pick(&objects, "check"), ["accuracy", "ece", "ece-2", "demographic_parity_difference"]);
    assert_eq!(pick(&objects, "verdict"), ["pass"; 5]);
    let accuracy = &objects[0];
    let [low, high] = [0, 1].map(|end| accuracy["interval"][end].as_f64().unwrap());
    let value = accuracy["value"].as_f64().unwrap();
    assert!(0.6 <= low && low < value && value <= high && high <= 1.0, "{accuracy}");
    assert_eq!((&accuracy["limit"]["min"], &accuracy["kept"]), (&0.6.into(), &false.into()));
    assert_eq!((&objects[4]["event"], &objects[4]["report"]), (&"done".into(), &"run/audit.html".into()));
    let evaluated = place.ok(&["eval", "run", "--json"]).object();
    assert_eq!(
        (&evaluated["accuracy"], &evaluated["accuracy_interval"]),
        (&accuracy["value"], &accuracy["interval"])
    );

    // For people, for programs, for continuous integration, for the hub, for the file.
    let page = place.text("run/audit.html");
    assert!(page.contains("All 4 limits are kept.") && page.contains("Reliability diagram"), "{page}");
    for fetched in ["<script", "src=\"http", "href=\"http", "url("] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    let rows: Value = serde_json::from_str(&place.text("run/audit.json")).unwrap();
    assert_eq!(rows["verdict"], "pass");
    assert_eq!(rows["checks"].as_array().unwrap(), &objects[..4]);
    assert!(place.text("run/audit.xml").contains("tests=\"4\" failures=\"0\" errors=\"0\""));
    let card = place.text("run/model-card.md");
    assert!(
        card.starts_with("---\nlibrary_name: crucible\npipeline_tag: tabular-classification\n"),
        "{card}"
    );
    assert!(card.contains("| Performance | Accuracy | ✓ Pass |"), "{card}");
    let annex = place.text("run/annex-iv.md");
    assert!(
        annex.contains("## 9. Post-market monitoring (Article 72)") && annex.contains("**To be filled in:**"),
        "{annex}"
    );
}

#[test]
fn a_second_audit_measures_only_what_changed() {
    let place = with_limits(LIMITS);
    audit(&place, &[]);
    // The limit is no part of the measurement.
    let (said, objects) = audit(&place, &["--set", "audit.accuracy.min=1.0"]);
    assert_eq!((said.code, objects[0]["verdict"].as_str()), (Some(1), Some("fail")), "{said:?}");
    assert!(objects[..4].iter().all(|object| object["kept"] == true), "{objects:?}");
    assert_eq!(objects[4]["verdict"], "fail");
    // The settings are.
    let (_, objects) = audit(&place, &["--set", "audit.ece={max=0.9,bins=3}"]);
    assert_eq!(objects[..2].iter().map(|object| &object["kept"]).collect::<Vec<_>>(), [true, false]);
    // A finding that is damaged is measured again, and so is everything when asked to.
    place.write("run/checks/accuracy.json", "{");
    let (_, objects) = audit(&place, &[]);
    assert_eq!((&objects[0]["kept"], &objects[0]["verdict"]), (&false.into(), &"pass".into()));
    let (_, objects) = audit(&place, &["--fresh"]);
    assert!(objects[..4].iter().all(|object| object["kept"] == false), "{objects:?}");
    // Other weights are another model.
    place.ok(&["train", "job.toml", "--out", "other", "--quiet"]);
    place.write("run/model.safetensors", place.read("other/model.safetensors"));
    let (_, objects) = audit(&place, &[]);
    assert!(objects[..4].iter().all(|object| object["kept"] == false), "{objects:?}");
}

#[test]
fn what_cannot_be_said_is_undecided() {
    let place = with_limits("");
    // 24 examples cannot show that a network is right in 99 of 100.
    let (said, objects) = audit(&place, &["--set", "audit.accuracy.min=0.9"]);
    let [low, high] = [0, 1].map(|end| objects[0]["interval"][end].as_f64().unwrap());
    assert!(low < 0.9 && high > 0.9, "{objects:?}");
    assert_eq!((said.code, pick(&objects, "verdict")), (Some(3), vec!["undecided"; 2]));
    assert!(
        place
            .text("run/audit.html")
            .contains("There are too few examples to say whether that keeps the limit.")
    );
    let (said, objects) = audit(&place, &["--set", "audit.epsilon.max=3", "--set", "audit.accuracy.min=0.5"]);
    assert_eq!((said.code, pick(&objects, "verdict")), (Some(3), vec!["pass", "skipped", "undecided"]));
    assert_eq!(
        objects[1]["reason"],
        "the run was trained without a guarantee; `train.privacy` in a recipe gives one"
    );
}

#[test]
fn a_check_that_fails_or_comes_to_no_end_is_a_row() {
    let place = Place::empty();
    idx_folder(&place, "pictures");
    place.write(
        "job.toml",
        "[data]\nsource = \"idx\"\npath = \"pictures\"\n[model]\nname = \"mlp\"\nhidden = [8]\n[train]\nepochs = 3\n\
         [audit]\ntimeout_seconds = 2\naccuracy = { min = 0.5 }\nrobust_linf = { min = 0.5, eps = 0.0001, attack = { name = \
         \"pgd\", steps = 100000000 } }\ncorruption_accuracy = { min = 0.2, corruptions = [\"fog\"] }\n\
         out_of_distribution = { min = 0.9, data = { source = \"idx\", path = \"elsewhere\" } }\n",
    );
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    let (said, objects) = audit(&place, &[]);
    assert_eq!(said.code, Some(3), "{said:?}");
    let checks = ["accuracy", "corruption_accuracy", "out_of_distribution", "robust_linf"];
    assert_eq!(pick(&objects, "check"), checks);
    assert_eq!(pick(&objects, "verdict"), ["pass", "pass", "undecided", "undecided", "undecided"]);
    assert!(objects[2]["reason"].as_str().unwrap().contains("elsewhere"), "{objects:?}");
    assert_eq!(objects[3]["reason"], "it was stopped after 2 s, with no result");
    // What was not measured is tried again; what was is not.
    let (_, objects) = audit(&place, &[]);
    assert_eq!(
        objects[..4].iter().map(|object| &object["kept"]).collect::<Vec<_>>(),
        [true, true, false, false]
    );
    // Nothing is left of the processes.
    let names: Vec<String> = place.tree("run/checks").into_keys().collect();
    assert_eq!(names, ["accuracy.json", "corruption_accuracy.json"]);
    let (_, objects) = audit(&place, &["--minutes", "0.0000001", "--fresh"]);
    assert_eq!(pick(&objects, "verdict"), ["skipped", "skipped", "skipped", "skipped", "undecided"]);
    assert_eq!(objects[0]["reason"], "the audit's time was over before it began");
}

#[test]
fn wrong_use_is_refused() {
    let place = with_limits("");
    place.refuses(
        &["audit", "run"],
        2,
        "the recipe of run has no `[audit]` table, so that there is nothing to hold it against; give limits such as\n  \
         --set audit.accuracy.min=0.97 --set audit.ece.max=0.02\nand see `crucible audit --list` for all of them",
    );
    place.refuses(
        &["audit", "run", "--set", "audit.accuracy.min=97"],
        2,
        "--set audit.accuracy.min=97: `audit.accuracy.min` must be a number from 0 to 1, found 97",
    );
    place.refuses(&["audit", "run", "--minutes", "0"], 2, "--minutes is a number of minutes above 0");
    place.refuses(&["audit", "nowhere"], 2, "nowhere is no run: No such file or directory (os error 2)");
    place.refuses(
        &["audit", "diff", "run", "run"],
        2,
        "run is no run: `crucible audit run` has not been run",
    );
}

#[test]
fn every_check_is_explained() {
    let place = Place::empty();
    let listed = place.ok(&["audit", "--list", "--json"]).objects();
    assert!(listed.len() > 20);
    for check in &listed {
        let settings = check["settings"].as_array().unwrap();
        let limits = settings.iter().filter(|setting| setting["name"] == "min" || setting["name"] == "max");
        assert!(
            limits.clone().count() == 1 && limits.clone().all(|limit| limit["required"] == true),
            "{check}"
        );
        let words = |value: &Value| value.as_str().is_some_and(|text| text.len() > 10);
        assert!(words(&check["about"]), "{check}");
        assert!(settings.iter().all(|setting| words(&setting["about"])), "{check}");
    }
    let schema = place.ok(&["recipe", "schema"]).out;
    assert!(listed.iter().all(|check| schema.contains(&format!("\"{}\"", check["check"].as_str().unwrap()))));
    assert!(place.ok(&["audit", "--list"]).out.contains("equalized_odds_difference"));
}

/// `docs/audit.schema.json` is what `crucible audit --schema` prints.
#[test]
fn the_published_schema_is_that_of_the_program() {
    let place = Place::empty();
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit.schema.json");
    assert_eq!(std::fs::read_to_string(published).unwrap(), place.ok(&["audit", "--schema"]).out);
}

#[test]
fn two_audits_are_compared() {
    let place = with_limits(LIMITS);
    audit(&place, &[]);
    place.ok(&["train", "job.toml", "--out", "other", "--quiet", "--set", "train.optimizer.lr=1e-9"]);
    let said = place.run(&["audit", "other", "--json"]);
    let second = said.objects();
    let objects = place.run(&["audit", "diff", "run", "other", "--json"]).objects();
    assert_eq!((&objects[0]["check"], &objects[0]["comparable"]), (&"accuracy".into(), &true.into()));
    assert_eq!(
        (&objects[0]["second"], &objects[0]["second_verdict"]),
        (&second[0]["value"], &second[0]["verdict"])
    );
    let broken = |objects: &[Value]| objects.last().unwrap()["broken_by_second"].as_u64().unwrap();
    assert!(broken(&objects) <= 1, "{objects:?}");
    let same = place.ok(&["audit", "diff", "run", "run", "--json"]).objects();
    assert_eq!((broken(&same), &same[0]["apart"]), (0, &false.into()));
    // A limit that only the first keeps.
    place.run(&["audit", "other", "--quiet", "--set", "audit.ece=[{max=0.0000001},{max=0.9}]"]);
    place.run(&["audit", "other", "--quiet", "--set", "audit.accuracy.min=0.9999999"]);
    let said = place.run(&["audit", "diff", "run", "other"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("other settings") && said.out.contains("breaks 1 of the limits"), "{said:?}");
}
