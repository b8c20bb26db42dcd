//! What scripts may count on.

use serde_json::Value;

use crate::support::{Place, Said, idx_folder, noise, picture_folder, png};

fn without_date(html: &str) -> String {
    // "2026-01-31 12:34 UTC"
    let at = html.find(" UTC").unwrap();
    format!("{}{}", &html[..at - 16], &html[at..])
}

fn names(said: &Said) -> Vec<String> {
    said.objects().iter().map(|object| object["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn training_tells_machines_every_epoch_and_the_end() {
    let place = Place::empty();
    let small = ["--set", "data.limit=500", "--set", "train.epochs=2"];
    let said = place.ok(&[&["train", "--out", "run", "--json"], &small[..]].concat());
    let objects = said.objects();
    let [first, second, done] = objects.as_slice() else { panic!("{}", said.out) };
    for (number, epoch) in [(1, first), (2, second)] {
        assert_eq!((&epoch["event"], &epoch["epoch"]), (&Value::from("epoch"), &Value::from(number)));
        assert!(epoch["loss"].as_f64().unwrap() > 0.0, "{epoch}");
        assert!((0.0..=1.0).contains(&epoch["test_accuracy"].as_f64().unwrap()), "{epoch}");
    }
    assert_eq!((&done["event"], &done["run"]), (&Value::from("done"), &Value::from("run")));
    assert_eq!(done["test_accuracy"], second["test_accuracy"]);
    assert!(done["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(done["target_met"], Value::Null);

    let measured = place.ok(&["eval", "run", "--json"]).object();
    assert_eq!(measured["accuracy"], done["test_accuracy"]);
    assert_eq!(measured["loss"], done["test_loss"]);
    assert_eq!(measured["count"], 500);
    let interval: Vec<f64> = serde_json::from_value(measured["accuracy_interval"].clone()).unwrap();
    let accuracy = measured["accuracy"].as_f64().unwrap();
    assert!(interval.len() == 2 && interval[0] < accuracy && accuracy < interval[1], "{measured}");
    assert_eq!(measured["classes"].as_array().unwrap().len(), 10);
    assert_eq!(place.ok(&["eval", "run", "--split", "train", "--json"]).object()["split"], "train");

    let summary = place.ok(&["model", "summary", "run", "--json"]).object();
    assert_eq!(summary["parameters"], 109_386);
    let runs: Vec<String> = place.tree("").into_keys().filter(|name| !name.contains('/')).collect();
    assert_eq!(runs, ["run"], "nothing is written elsewhere");
}

#[test]
fn training_tells_people_in_plain_lines() {
    let place = Place::with_tables();
    let said = place.ok(&["train", "job.toml", "--out", "run"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], "points: 77 train, 19 validation, 24 test examples, seed 1, in run");
    assert!(lines[1].starts_with("Epoch 1/5, Loss: 0."), "{}", said.out);
    assert!(lines[1].contains(", Validation accuracy: ") && lines[1].contains("%, Test accuracy: "));
    assert_eq!(lines[6], "Done after 5 epochs.");
    assert!(lines[7].starts_with("The network is right on "), "{}", said.out);
    assert_eq!(lines[8..], ["Report: run/report.html"]);
    assert!(
        !said.out.contains('\u{1b}') && !said.out.contains('\r'),
        "no colours, no bar: this is no terminal"
    );
}

#[test]
fn quiet_says_nothing() {
    let place = Place::with_tables();
    for args in [
        &["train", "job.toml", "--out", "run"][..],
        &["eval", "run"],
        &["report", "run"],
        &["model", "summary", "run"],
        &["recipe", "check", "job.toml"],
        &["train", "--resume", "run"],
    ] {
        assert_eq!(place.ok(&[args, &["--quiet"]].concat()).out, "", "{args:?}");
    }
    let said = place.run(&["eval", "nowhere", "--quiet"]);
    assert!(said.err.starts_with("error: "), "errors are never quiet");
}

#[test]
fn runs_are_numbered_when_no_folder_is_named() {
    let place = Place::with_tables();
    for run in ["runs/job-1", "runs/job-2"] {
        assert_eq!(place.ok(&["train", "job.toml", "--json"]).objects().last().unwrap()["run"], run);
    }
}

#[test]
fn wrong_words_are_wrong_use() {
    let place = Place::with_tables();
    for args in [
        &["trane"][..],
        &[],
        &["train", "--epochs", "3"],
        &["train", "--resume", "run", "--out", "other"],
        &["predict", "run"],
        &["eval", "run", "--split", "half"],
    ] {
        let said = place.run(args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(said.err.contains("--help"), "{args:?}: {}", said.err);
    }
    assert_eq!(place.ok(&["--help"]).code, Some(0));
    assert!(place.ok(&["--version"]).out.starts_with("crucible "));
}

#[test]
fn a_target_stops_training_when_it_is_met() {
    let place = Place::with_tables();
    let until = |run: &str, target: &str, epochs: &str, extra: &[&str]| {
        let (target, epochs) = (format!("train.until.accuracy={target}"), format!("train.epochs={epochs}"));
        let args = ["train", "job.toml", "--out", run, "--set", &target, "--set", &epochs];
        place.run(&[&args, extra].concat())
    };
    let met = until("met", "0.6", "200", &[]);
    assert_eq!(met.code, Some(0), "{met:?}");
    let epochs = met.out.matches("Epoch ").count();
    assert!(
        epochs < 200 && met.out.contains(&format!("\nThe target was met after epoch {epochs}.\n")),
        "{met:?}"
    );
    let unmet = until("unmet", "1.0", "1", &[]);
    assert_eq!((unmet.code, unmet.err.as_str()), (Some(1), ""));
    assert!(unmet.out.contains("\nThe target was NOT met in 1 epochs.\n"), "{unmet:?}");
    let unmet = until("unmet-too", "1.0", "1", &["--json"]);
    assert_eq!(unmet.code, Some(1));
    let done = unmet.objects().pop().unwrap();
    assert_eq!((&done["event"], &done["target_met"]), (&Value::from("done"), &Value::from(false)));
    let again = place.run(&["train", "--resume", "unmet"]);
    assert_eq!(again.code, Some(1), "it is still not met");
}

#[test]
fn predictions_come_in_three_forms() {
    let place = Place::with_run();
    place.write("new.csv", "colour,x\nred,-0.9\ngreen,0.9\n,\n");
    let said = place.ok(&["predict", "run", "new.csv", "--json"]);
    let objects = said.objects();
    assert_eq!(objects.len(), 3);
    for (object, line) in objects.iter().zip(2..) {
        assert_eq!(object["input"], format!("new.csv:{line}"));
        let probabilities: Vec<f64> = serde_json::from_value(object["probabilities"].clone()).unwrap();
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{object}");
        let answer = if probabilities[0] >= probabilities[1] { "left" } else { "right" };
        assert_eq!(object["class"], answer);
    }
    assert_eq!(place.ok(&["predict", "run", "new.csv", "--format", "json"]), said);

    let csv = place.ok(&["predict", "run", "new.csv", "--format", "csv", "--quiet"]).out;
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["input", "class", "p_left", "p_right"]);
    for (row, object) in rows[1..].iter().zip(&objects) {
        assert_eq!([row[0], row[1]], [object["input"].as_str().unwrap(), object["class"].as_str().unwrap()]);
        let given = object["probabilities"][0].as_f64().unwrap();
        assert!((row[2].parse::<f64>().unwrap() - given).abs() < 1e-6);
    }

    let table = place.ok(&["predict", "run", "new.csv", "new.csv"]).out;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 7, "one header for all files: {table}");
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["input", "class", "probability"]);
    assert!(lines[1].starts_with("new.csv:2 ") && lines[1].ends_with('%'), "{table}");
}

#[test]
fn pictures_and_idx_files_are_answered() {
    let place = Place::empty();
    idx_folder(&place, "digits");
    place.write(
        "job.toml",
        "[data]\nsource = \"idx\"\npath = \"digits\"\nclasses = [\"left\", \"right\"]\n[model]\nname = \"mlp\"\nhidden = [8]\n\
         [train]\nepochs = 8\nbatch_size = 8\n",
    );
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    place.write("bright-left.png", png(0, 77));
    place.write("bright-right.png", png(1, 78));
    let said = place.ok(&["predict", "run", "bright-left.png", "bright-right.png", "--json"]);
    let answers: Vec<(Value, Value)> =
        said.objects().iter().map(|object| (object["input"].clone(), object["class"].clone())).collect();
    assert_eq!(
        answers,
        [("bright-left.png", "left"), ("bright-right.png", "right")].map(|(a, b)| (a.into(), b.into()))
    );
    let objects = place.ok(&["predict", "run", "digits/t10k-images-idx3-ubyte", "--json"]).objects();
    assert_eq!(objects.len(), 20);
    assert_eq!((&objects[7]["input"], &objects[7]["class"]), (&"t10k-images#7".into(), &"right".into()));
}

#[test]
fn same_seed_same_bytes_and_so_from_the_saved_recipe() {
    let place = Place::with_tables();
    for (run, seed) in [("one", "7"), ("two", "7"), ("other", "8")] {
        place.ok(&["train", "job.toml", "--out", run, "--set", &format!("seed={seed}"), "--quiet"]);
    }
    // From another folder: the saved recipe knows where its data are.
    let elsewhere = Place::empty();
    let (recipe, run) = (place.path("one/recipe.toml"), place.path("again"));
    elsewhere.ok(&["train", recipe.to_str().unwrap(), "--out", run.to_str().unwrap(), "--quiet"]);
    for name in ["model.safetensors", "config.json", "recipe.toml", "checkpoints/best.safetensors"] {
        for run in ["two", "again"] {
            assert!(
                place.read(&format!("one/{name}")) == place.read(&format!("{run}/{name}")),
                "{run}/{name}"
            );
        }
    }
    assert!(place.read("one/model.safetensors") != place.read("other/model.safetensors"));
}

#[test]
fn data_are_found_from_the_recipe_not_from_where_it_is_run() {
    let place = Place::with_tables();
    place.copy("", "jobs");
    for name in ["points.csv", "job.toml"] {
        std::fs::remove_file(place.path(name)).unwrap();
    }
    place.ok(&["train", "jobs/job.toml", "--out", "run", "--quiet"]);
    let saved = place.text("run/recipe.toml");
    let path = format!("path = \"{}\"", place.path("jobs/points.csv").display());
    assert!(saved.contains(&path), "{saved}");
    let elsewhere = Place::empty();
    elsewhere.ok(&["eval", place.path("run").to_str().unwrap(), "--quiet"]);
    place.ok(&["data", "inspect", "jobs/job.toml", "--quiet"]);
}

#[test]
fn what_a_run_leaves_can_be_read_by_others() {
    let place = Place::with_run();
    let files: Vec<String> = place.tree("run").into_keys().collect();
    assert_eq!(
        files,
        [
            "checkpoints",
            "checkpoints/best.safetensors",
            "checkpoints/last.safetensors",
            "config.json",
            "events.out.tfevents.crucible",
            "metrics.jsonl",
            "model.safetensors",
            "recipe.toml",
            "report.html",
            "report.json",
            "summary.json",
        ]
    );
    let config: Value = serde_json::from_slice(&place.read("run/config.json")).unwrap();
    assert_eq!(config["architecture"]["name"], "mlp");
    assert_eq!(config["format"]["task"]["classes"], serde_json::json!(["left", "right"]));

    let model = place.read("run/model.safetensors");
    let (state, format) = crucible_models::weights::from_safetensors(&model, "format").unwrap();
    assert_eq!(format.as_deref(), Some("pt"));
    assert_eq!(state["fc1.weight"].shape, [6, 4], "[out, in], as PyTorch has it");
    assert_eq!(state["fc2.bias"].shape, [2]);

    let metrics = place.text("run/metrics.jsonl");
    let epochs: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(epochs.iter().filter(|object| object["event"] == "epoch").count(), 5);
    assert!(serde_json::from_slice::<Value>(&place.read("run/report.json")).unwrap().is_object());
}

#[test]
fn the_report_stands_alone_and_is_always_the_same() {
    let place = Place::with_run();
    let written = place.text("run/report.html");
    std::fs::remove_file(place.path("run/report.html")).unwrap();
    let said = place.ok(&["report", "run"]);
    assert!(said.out.ends_with("\nReport: run/report.html\n"), "{}", said.out);
    let first = place.text("run/report.html");
    let object = place.ok(&["report", "run", "--json"]).object();
    assert_eq!(object["report"], "run/report.html");
    assert!(object["test_accuracy"].is_f64(), "{object}");
    let second = place.text("run/report.html");
    assert_eq!(without_date(&first), without_date(&second));
    assert_eq!(without_date(&first), without_date(&written));
    assert!(!first.contains("<script"));
    for load in ["src=\"http", "href=\"http", "url(http", "@import", "<link", "<iframe"] {
        assert!(!first.contains(load), "{load}");
    }
}

#[test]
fn shipped_recipes_can_be_listed_shown_and_changed() {
    let place = Place::empty();
    let listed = names(&place.ok(&["recipe", "list", "--json"]));
    assert_eq!(
        listed,
        [
            "mnist-mlp",
            "mnist-cnn",
            "mnist-lenet300",
            "mnist-lenet5",
            "mnist-transformer",
            "adult-mlp",
            "mnist-robust",
            "mnist-certified",
            "mnist-private",
            "digits-pretrain",
            "digits-transfer",
            "fashion-transfer",
            "movie-sentiment",
            "mnist-gan",
        ]
    );
    let text = place.ok(&["recipe", "list"]).out;
    assert_eq!(text.lines().count(), 14);
    assert!(text.starts_with("mnist-mlp         The article's job: "), "{text}");

    let shown = place.ok(&["recipe", "show", "adult-mlp"]).out;
    assert!(shown.starts_with("# A table: "), "{shown}");
    let full = place.ok(&["recipe", "show", "adult-mlp", "--set", "train.epochs=3"]).out;
    assert!(full.contains("\nepochs = 3\n") && full.contains("\nwarmup_steps = 0\n"), "{full}");
    place.write("full.toml", &full);
    assert_eq!(place.ok(&["recipe", "show", "full.toml", "--full"]).out, full, "filling is done once");
    let object = place.ok(&["recipe", "show", "adult-mlp", "--json"]).object();
    assert_eq!((&object["model"]["name"], &object["train"]["epochs"]), (&"mlp".into(), &20.into()));

    assert_eq!(place.ok(&["recipe", "check", "full.toml"]).out, "full.toml: nothing wrong\n");
    assert_eq!(place.ok(&["recipe", "check", "full.toml", "--json"]).object()["ok"], true);
}

#[test]
fn the_schema_and_the_keys_are_for_editors_and_readers() {
    let place = Place::empty();
    let pretty: Value = serde_json::from_str(&place.ok(&["recipe", "schema"]).out).unwrap();
    assert_eq!(place.ok(&["recipe", "schema", "--json"]).object(), pretty);
    assert!(pretty["properties"]["train"].is_object());
    let keys = place.ok(&["recipe", "keys", "--json"]).objects();
    let key = keys.iter().find(|key| key["path"] == "train.epochs").unwrap();
    assert_eq!((&key["kind"], &key["default"]), (&"integer".into(), &"10".into()));
    let text = place.ok(&["recipe", "keys"]).out;
    assert!(text.contains("\ntrain.epochs: integer, from 1 to 1000000, default 10\n"), "{text}");
}

#[test]
fn sources_are_listed_and_inspected() {
    let place = Place::with_tables();
    assert_eq!(
        names(&place.ok(&["data", "list", "--json"])),
        ["mnist", "idx", "images", "csv", "texts", "adult"]
    );
    assert_eq!(place.ok(&["data", "list"]).out.lines().count(), 6);

    let adult = place.ok(&["data", "inspect", "adult", "--json"]).object();
    assert_eq!(adult["splits"][0]["examples"], 32_561);
    assert_eq!(adult["leakage"][0]["examples"], 26, "{}", adult["leakage"]);
    let text = place.ok(&["data", "inspect", "adult"]).out;
    assert!(text.contains("\nleakage: 26 of test are in train too (3 with another target)\n"), "{text}");

    let table = place.ok(&["data", "inspect", "points.csv", "--set", "target=side", "--json"]).object();
    assert_eq!(table["splits"][0]["classes"].as_array().unwrap().len(), 2);
    assert_eq!(place.tree("").len(), 4, "a table has no contact sheet");
}

#[test]
fn folders_of_pictures_are_inspected_with_a_contact_sheet() {
    let place = Place::empty();
    idx_folder(&place, "digits");
    let digits = place.ok(&["data", "inspect", "digits", "--json"]).object();
    assert_eq!(digits["splits"][1]["examples"], 20);
    assert_eq!(digits["contact_sheet"], "digits-contact-sheet.png");
    assert!(place.read("digits-contact-sheet.png").starts_with(b"\x89PNG"));

    picture_folder(&place, "pictures");
    let pictures = place.ok(&["data", "inspect", "pictures", "--sheet", "sheet.png", "--json"]).object();
    assert_eq!(pictures["input_shape"], serde_json::json!([1, 8, 8]));
    assert_eq!(
        pictures["leakage"][0]["examples"], 2,
        "a picture of each class is in both splits: {pictures}"
    );
    assert!(place.read("sheet.png").starts_with(b"\x89PNG"));
    let text = place.ok(&["data", "inspect", "pictures", "--no-sheet"]).out;
    assert!(text.contains("leakage: 2 of test are in train too (0 with another target)"), "{text}");
    assert!(!place.path("pictures-contact-sheet.png").exists());
}

#[test]
fn networks_are_summed_up() {
    let place = Place::empty();
    assert_eq!(
        names(&place.ok(&["model", "list", "--json"])),
        ["mlp", "lenet5", "cnn", "convnet", "transformer", "bert"]
    );
    assert_eq!(place.ok(&["model", "list"]).out.lines().count(), 6);
    for (recipe, parameters) in [("mnist-lenet5", 61_706), ("mnist-mlp", 109_386), ("mnist-cnn", 1_199_882)] {
        let summary = place.ok(&["model", "summary", recipe, "--json"]).object();
        assert_eq!(summary["parameters"], parameters, "{recipe}");
    }
    let text = place.ok(&["model", "summary", "--batch", "32"]).out;
    let total: Vec<&str> =
        text.lines().find(|line| line.starts_with("total")).unwrap().split_whitespace().collect();
    assert_eq!(total, ["total", "109386", "109184"]);
    assert!(text.contains("\nTensors for a batch of 32: "), "{text}");
}

#[test]
fn a_step_is_timed() {
    let place = Place::empty();
    let small = ["--batch=2", "--tokens=8", "--steps=3", "--threads=1", "--json"];
    for (task, more) in [
        ("mlp", None),
        ("cnn", None),
        ("transformer", None),
        ("mlp", Some("--plain")),
        ("cnn", Some("--forward")),
        ("transformer", Some("--plain")),
    ] {
        let said = place.ok(&[&["bench", "step", "--task", task], &small[..], more.as_slice()].concat());
        let object = said.object();
        assert_eq!((&object["task"], &object["batch"]), (&Value::from(task), &Value::from(2)));
        let number = |key: &str| object[key].as_f64().unwrap();
        assert!(0.0 < number("min_ms") && number("min_ms") <= number("ms"), "{object}");
        assert!(0.0 < number("gemm_share"), "{object}");
    }
    let small = ["--batch=2", "--size=8", "--channels=2", "--steps=2", "--threads=1", "--json"];
    for more in [None, Some("--nearest"), Some("--spectral")] {
        let object = place.ok(&[&["bench", "gan"], &small[..], more.as_slice()].concat()).object();
        let number = |key: &str| object[key].as_f64().unwrap();
        assert!(0.0 < number("min_ms") && number("min_ms") <= number("ms"), "{object}");
    }
    place.run(&["bench", "step", "--task", "mlp", "--batch=0"]).code.filter(|&code| code == 2).unwrap();
}

#[test]
fn a_full_output_is_told() {
    let place = Place::with_run();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let words = "error: cannot write to standard output: No space left on device (os error 28)\n";
    for args in [&["predict", "run", "points.csv"][..], &["eval", "run", "--json"], &["recipe", "schema"]] {
        let said = Said::new(place.command(args).stdout(full()).output().unwrap());
        assert_eq!((said.code, said.err.as_str()), (Some(1), words), "{args:?}");
    }
    let said =
        Said::new(place.command(&["train", "job.toml", "--out", "other"]).stdout(full()).output().unwrap());
    assert_eq!((said.code, said.err.as_str()), (Some(1), words));
    assert!(place.read("other/model.safetensors") == place.read("run/model.safetensors"), "training goes on");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::empty();
    let mut child = place.command(&["recipe", "keys"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // A table of predictions longer than a pipe holds.
    let place = Place::with_run();
    let mut noise = noise(5);
    let rows: String = (0..5000).map(|_| format!("red,{}\n", noise())).collect();
    place.write("many.csv", format!("colour,x\n{rows}"));
    let mut child = place
        .command(&["predict", "run", "many.csv"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let said = Said::new(child.wait_with_output().unwrap());
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
}
