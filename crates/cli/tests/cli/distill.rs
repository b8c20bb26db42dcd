//! Runs that learn from another run's answers.

use std::time::Duration;

use serde_json::Value;

use crate::support::{JOB, Place, idx_folder};

/// `job.toml` with the run `run` as its teacher, in `student.toml`.
fn with_teacher() -> Place {
    let place = Place::with_run();
    place.write("student.toml", format!("{JOB}\n[distill]\nteacher = \"run\"\n"));
    place
}

fn train<'a>(words: &[&'a str], out: &'a str) -> Vec<&'a str> {
    [&["train"], words, &["--out", out, "--quiet"]].concat()
}

/// The section of a run's report.
fn section(place: &Place, run: &str) -> Value {
    let report: Value = serde_json::from_slice(&place.read(&format!("{run}/report.json"))).unwrap();
    let sections = report["sections"].as_array().unwrap();
    sections.iter().find(|section| section["id"] == "distillation").unwrap().clone()
}

fn facts(section: &Value) -> Vec<&str> {
    let facts = section["blocks"][0]["facts"].as_array().unwrap();
    facts.iter().map(|fact| fact["name"].as_str().unwrap()).collect()
}

/// The numbers of a row of the section's table: the teacher's and the student's.
fn row(section: &Value, index: usize) -> [f64; 2] {
    let row = &section["blocks"][1]["rows"][index];
    [1, 2].map(|side| {
        let value = &row[side];
        [&value["estimate"], &value["value"]].into_iter().find_map(Value::as_f64).unwrap()
    })
}

#[test]
fn a_student_learns_and_its_report_compares_it_with_its_teacher() {
    let place = with_teacher();
    place.ok(&train(&["student.toml", "--set", "model.hidden=[3]"], "student"));
    let found = section(&place, "student");
    let same = ["Teacher", "Temperature", "Weight of the teacher's answers", "Same class from both"];
    assert_eq!(facts(&found), same);
    let accuracy = |run: &str| place.ok(&["eval", run, "--json"]).object()["accuracy"].as_f64().unwrap();
    assert_eq!(row(&found, 0), [accuracy("run"), accuracy("student")]);
    assert_eq!(row(&found, 2), [56.0, 29.0]);
    assert!(place.text("student/report.html").contains("Learned from a teacher"));
    assert!(!place.text("run/report.html").contains("Learned from a teacher"));

    // It is a run as any other, and its recipe runs again to the same bytes, from anywhere.
    let model = place.read("student/model.safetensors");
    let elsewhere = Place::empty();
    let (recipe, out) = (place.path("student/recipe.toml"), elsewhere.path("again"));
    elsewhere.ok(&train(&[recipe.to_str().unwrap()], out.to_str().unwrap()));
    assert!(elsewhere.read("again/model.safetensors") == model);
    place.ok(&train(&["job.toml", "--set", "model.hidden=[3]"], "alone"));
    assert!(place.read("alone/model.safetensors") != model);
    let nothing = ["student.toml", "--set", "model.hidden=[3]", "--set", "distill.weight=0"];
    place.ok(&train(&nothing, "unheard"));
    assert!(place.read("unheard/model.safetensors") == place.read("alone/model.safetensors"));

    // Without its teacher it still answers, and the report says what is missing.
    std::fs::remove_dir_all(place.path("run")).unwrap();
    place.ok(&["report", "student"]);
    let note = section(&place, "student")["blocks"][1].to_string();
    assert!(note.contains("Nothing can be compared with the teacher any more: "), "{note}");
}

#[test]
fn a_layer_can_be_imitated() {
    let place = with_teacher();
    let hint = "distill.features={ student = \"act1\", teacher = \"act1\", weight = 2.0 }";
    place.ok(&train(&["student.toml", "--set", hint], "hinted"));
    place.ok(&train(&["student.toml"], "plain"));
    assert!(place.read("hinted/model.safetensors") != place.read("plain/model.safetensors"));
    assert!(facts(&section(&place, "hinted")).contains(&"Layer that is imitated"));
}

#[test]
fn numbers_are_learned_from_a_teacher_too() {
    let place = Place::with_tables();
    place.ok(&train(&["line.toml"], "line"));
    place.ok(&train(&["line.toml", "--set", "distill.teacher=line", "--set", "train.epochs=80"], "student"));
    let found = section(&place, "student");
    assert_eq!(*facts(&found).last().unwrap(), "Mean squared difference of standardised predictions");
    let [teacher, student] = row(&found, 0);
    assert!(teacher < 1e-3 && student < 1e-3, "{teacher} {student}");
}

#[test]
fn a_compressed_run_teaches_and_a_student_is_compressed() {
    let place = Place::empty();
    idx_folder(&place, "digits");
    let job = "[data]\nsource = \"idx\"\npath = \"digits\"\n[model]\nname = \"mlp\"\nhidden = [64]\n[train]\nepochs = 4\nbatch_size = 8\n";
    place.write("job.toml", job);
    place.ok(&train(&["job.toml"], "run"));
    place.ok(&["compress", "run", "--int8", "--out", "small", "--quiet"]);
    let student = ["job.toml", "--set", "model.hidden=[5]", "--set"];
    for (teacher, out) in [("distill.teacher=small", "by-small"), ("distill.teacher=run", "by-run")] {
        place.ok(&train(&[&student[..], &[teacher]].concat(), out));
    }
    assert!(place.read("by-small/model.safetensors") != place.read("by-run/model.safetensors"));
    place.ok(&["compress", "by-run", "--int8", "--out", "smaller", "--quiet"]);
    assert!(facts(&section(&place, "smaller")).contains(&"Same class from both"));
}

#[test]
fn a_student_that_is_killed_goes_on_to_the_same_bytes() {
    let place = with_teacher();
    let hint = "--set=distill.features={ student = \"fc1\", teacher = \"fc1\" }";
    let long = ["student.toml", "--set=train.epochs=60", "--set=train.checkpoint={ every_steps = 7 }", hint];
    place.ok(&train(&long, "whole"));
    let length = place.read("whole/metrics.jsonl").len() as u64;
    for part in 1..4 {
        let run = format!("run-{part}");
        let mut child = place.command(&train(&long, &run)).spawn().unwrap();
        let logged = place.path(&format!("{run}/metrics.jsonl"));
        while std::fs::metadata(&logged).map_or(0, |log| log.len()) < length * part / 5 {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        place.ok(&["train", "--resume", &run, "--quiet"]);
        assert!(
            place.read(&format!("{run}/model.safetensors")) == place.read("whole/model.safetensors"),
            "{run}"
        );
    }
}

#[test]
fn a_teacher_is_found_from_the_recipe_not_from_where_it_is_run() {
    let place = with_teacher();
    place.write("jobs/student.toml", place.text("student.toml").replace("\"run\"", "\"../run\""));
    place.write("jobs/points.csv", place.read("points.csv"));
    place.ok(&train(&["jobs/student.toml"], "student"));
    let saved = place.text("student/recipe.toml");
    assert!(saved.contains("[distill]\nteacher = \"/"), "{saved}");
    let elsewhere = Place::empty();
    elsewhere.ok(&["report", place.path("student").to_str().unwrap(), "--quiet"]);
}

/// The words for a problem with the teacher of `student.toml`.
fn at_teacher(words: &str) -> String {
    format!("student.toml:24:11: {words}\n   24 | teacher = \"run\"\n      |           ^^^^^")
}

#[test]
fn teachers_that_do_not_fit() {
    let place = with_teacher();
    let alike = "whose outputs are no answers as those of";
    for (set, words) in [
        (
            "distill.teacher=nowhere",
            "--set distill.teacher=nowhere: {here}/nowhere is no run: No such file or directory (os error 2)"
                .to_owned(),
        ),
        (
            "data.target=colour",
            [
                at_teacher("the teacher reads the columns x, colour, and here they are x, side"),
                at_teacher(
                    "the teacher tells apart left, right, and this network tells apart blue, green, red",
                ),
            ]
            .join("\n\n"),
        ),
        (
            "seed=2",
            at_teacher(
                "the teacher's column `x` has another mean, deviation, kind or levels than here; train both on the same \
                 rows",
            ),
        ),
        (
            "data.missing=[\"zz\"]",
            at_teacher("the teacher has other texts for missing values or another delimiter than here"),
        ),
        (
            "train.loss=binary-cross-entropy",
            at_teacher(&format!(
                "the teacher was trained with `cross-entropy`, {alike} `binary-cross-entropy` are"
            )),
        ),
        (
            "train.loss=mse",
            at_teacher(&format!("the teacher was trained with `cross-entropy`, {alike} `mse` are")),
        ),
    ] {
        place.refuses(&["train", "student.toml", "--set", set, "--out", "student"], 2, &words);
    }
    let unfinished = "--set distill.teacher=run: {here}/run is no run: it has no model.safetensors yet; finish it with \
                      `crucible train --resume {here}/run`";
    std::fs::remove_file(place.path("run/model.safetensors")).unwrap();
    place.refuses(&["train", "job.toml", "--set", "distill.teacher=run", "--out", "student"], 2, unfinished);
}

#[test]
fn teachers_of_other_pictures() {
    let place = Place::with_run();
    idx_folder(&place, "digits");
    let job = "[data]\nsource = \"idx\"\npath = \"digits\"\nclasses = [\"left\", \"right\"]\n[model]\nname = \"mlp\"\n";
    place.write("pictures.toml", format!("{job}[train]\nepochs = 1\n"));
    let refuses = |teacher: &str, more: &[&str], words: &str| {
        let set = format!("distill.teacher={teacher}");
        let words = format!("--set {set}: {words}");
        place.refuses(
            &[&["train", "pictures.toml", "--set", &set, "--out", "student"], more].concat(),
            2,
            &words,
        );
    };
    refuses("run", &[], "one input of the teacher is 4, and here 1x8x8");
    place.ok(&train(&["pictures.toml", "--set", "data.normalize=unit"], "unit"));
    place.ok(&train(
        &[
            "pictures.toml",
            "--set",
            "data.normalize=fixed",
            "--set",
            "data.mean=0.5",
            "--set",
            "data.std=0.25",
        ],
        "fixed",
    ));
    refuses(
        "fixed",
        &["--set", "data.normalize=unit"],
        "the teacher's pixels have the mean [0.5] and the deviation [0.25], and here [0.0] and [1.0]; train both on the \
         same data, or with `data.normalize` as \"unit\" or \"fixed\"",
    );
    place.ok(&train(
        &["pictures.toml", "--set", "data.normalize=unit", "--set", "distill.teacher=unit"],
        "student",
    ));
}

#[test]
fn everything_wrong_with_the_table_is_told_at_once() {
    let place = Place::with_run();
    place.ok(&train(&["line.toml"], "line"));
    let table = "\n[distill]\nteacher = \"line\"\nfeatures = { student = \"fc1\", teacher = \"fc1\" }\n";
    let others = "\n[defence]\nname = \"fast\"\n\n[train.privacy]\nepsilon = -1.0\ndelta = 0.001\n";
    place.write("all.toml", format!("{JOB}{table}{others}"));
    let said = place.run(&["train", "all.toml", "--out", "student"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
    for words in [
        "all.toml:27:2: a defence looks at a batch as a whole, and `train.privacy` at each example",
        "all.toml:23:2: a teacher's answers tell of the examples that it was trained on, and `train.privacy` promises not to",
        "all.toml:23:2: a teacher answers at the inputs themselves, and a defence trains at others",
        "all.toml:24:11: the teacher reads the columns x, and here they are x, colour",
        "all.toml:24:11: the teacher predicts y, and this network tells apart left, right",
        "ε is -1",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    assert!(!place.path("student").exists());

    let layers = "\n[distill]\nteacher = \"run\"\nfeatures = { student = \"fc3\", teacher = \"act9\" }\n";
    place.write("layers.toml", format!("{JOB}{layers}"));
    let here = |column: usize, name: &str, width: usize| {
        let line = "features = { student = \"fc3\", teacher = \"act9\" }";
        let marks = "^".repeat(width);
        format!(
            "layers.toml:25:{column}: the {name}; it has: fc1, bn1, act1, fc2\n   25 | {line}\n      | {:1$}{marks}",
            "",
            column - 1
        )
    };
    let words = [here(41, "teacher has no layer `act9`", 6), here(24, "student has no layer `fc3`", 5)];
    place.refuses(&["train", "layers.toml", "--out", "student"], 2, &words.join("\n\n"));

    let widths = "\n[distill]\nteacher = \"run\"\nfeatures = { student = \"fc1\", teacher = \"fc1\" }\n";
    place.write("widths.toml", format!("{}{widths}", JOB.replace("[6]", "[3]")));
    let words = "widths.toml:25:1: the teacher's `fc1` has 6 outputs, and the student's `fc1` 3; a hint takes layers of \
                 equal width\n   25 | features = { student = \"fc1\", teacher = \"fc1\" }\n      | ^^^^^^^^";
    place.refuses(&["train", "widths.toml", "--out", "student"], 2, words);
}

#[test]
fn keys_of_the_table_are_checked() {
    let place = with_teacher();
    for (set, words) in [
        ("distill.temperature=0", "`distill.temperature` must be a number from 0.1 to 100, found 0"),
        ("distill.temperature=101", "`distill.temperature` must be a number from 0.1 to 100, found 101"),
        ("distill.weight=1.5", "`distill.weight` must be a number from 0 to 1, found 1.5"),
        ("distill.weight=-1", "`distill.weight` must be a number from 0 to 1, found -1"),
        (
            "distill.techer=run",
            "unknown key `techer` in [distill]\n      = did you mean `teacher`? allowed: teacher, temperature, weight, \
             features",
        ),
        (
            "distill.features.student=fc1",
            "missing key `teacher` in [distill.features]\n      = a string: The teacher's layer.",
        ),
    ] {
        place.refuses(&["train", "student.toml", "--set", set], 2, &format!("--set {set}: {words}"));
    }
    let missing = "--set distill.weight=0.5: missing key `teacher` in [distill]\n      = a string: The teacher's run \
                   folder, compressed or not; a relative path starts at the recipe's folder.";
    place.refuses(&["train", "job.toml", "--set", "distill.weight=0.5"], 2, missing);
}

/// As the README shows it.
#[test]
fn a_shipped_recipe_learns_by_an_override() {
    let place = Place::empty();
    let small = ["mnist-mlp", "--set", "data.limit=300", "--set", "train.epochs=1"];
    place.ok(&[&["train", "--quiet"], &small[..]].concat());
    let set = ["--set", "model.hidden=[12]", "--set", "distill.teacher=runs/mnist-mlp-1"];
    place.ok(&[&["train", "--quiet"], &small[..], &set].concat());
    assert_eq!(row(&section(&place, "runs/mnist-mlp-2"), 2), [109_386.0, 9_550.0]);
}
