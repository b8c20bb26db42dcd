//! Explanations of a run's answers.

use crucible_models::weights::from_safetensors;
use serde_json::Value;

use crate::support::{Place, idx_folder, png};

const PICTURES: &str = r#"
[data]
source = "idx"
path = "pictures"

[model]
name = "convnet"
conv = [{ channels = 4, kernel = 3, stride = 2 }]
hidden = [8]

[train]
epochs = 8
batch_size = 8

[train.optimizer]
name = "adam"
lr = 0.01
"#;

fn pictures() -> Place {
    let place = Place::empty();
    idx_folder(&place, "pictures");
    place.write("job.toml", PICTURES);
    place.write("one.png", png(1, 5));
    place.ok(&["train", "job.toml", "--out", "run", "--quiet"]);
    place
}

fn objects(place: &Place, args: &[&str]) -> Vec<Value> {
    place.ok(&[args, &["--json"]].concat()).objects()
}

#[test]
fn a_picture_is_explained_and_the_explanation_checked() {
    let place = pictures();
    let found =
        objects(&place, &["explain", "run", "--method", "integrated-gradients", "--input", "one.png"]);
    assert_eq!((&found[0]["method"], &found[0]["class"]), (&"integrated-gradients".into(), &"1".into()));
    assert!(found[0]["completeness_gap"].as_f64().unwrap() < 0.01, "{}", found[0]);
    let files: Vec<&str> =
        found[0]["files"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    assert_eq!(
        files,
        ["run/explanations/integrated-gradients.safetensors", "run/explanations/integrated-gradients-0.png"]
    );
    assert!(place.read(files[1]).starts_with(b"\x89PNG"));
    let (arrays, _) = from_safetensors(&place.read(files[0]), "format").unwrap();
    assert_eq!(arrays["values"].shape, [1, 1, 8, 8]);
    let checks = &found[1]["checks"];
    assert!(checks["insertion_auc"].as_f64().unwrap() > checks["deletion_auc"].as_f64().unwrap(), "{checks}");
    assert!(place.text("run/report.html").contains("Why: integrated-gradients"));
    // The same seed, the same bytes.
    let before = place.read(files[0]);
    objects(&place, &["explain", "run", "--input", "one.png", "--no-checks"]);
    assert_eq!(place.read(files[0]), before);
}

#[test]
fn methods_stand_side_by_side() {
    let place = pictures();
    let methods = ["saliency", "guided-backprop", "deep-lift", "lrp", "grad-cam", "occlusion", "kernel-shap"];
    let args: Vec<&str> = methods.iter().flat_map(|method| ["--method", method]).collect();
    let args = [&["explain", "run", "--count", "3", "--out", "why"], &args[..]].concat();
    let found = objects(&place, &args);
    assert_eq!(found.iter().filter(|object| object.get("files").is_some()).count(), 3 * methods.len());
    for method in methods {
        assert!(place.path(&format!("why/{method}-2.png")).exists(), "{method}");
    }
}

#[test]
fn rows_of_a_table_are_explained_by_their_columns() {
    let place = Place::with_run();
    let said = place.ok(&["explain", "run", "--count", "2", "--class", "left"]);
    assert!(said.out.contains("explained: left") || said.out.contains("answered left"), "{}", said.out);
    let report = place.text("run/report.html");
    assert!(report.contains("The columns that matter most for left.") && report.contains("colour = red"));
}

#[test]
fn questions_that_cannot_be_explained() {
    let place = pictures();
    let said = place.run(&["explain", "run", "--method", "saliencey"]);
    assert!(
        said.err.starts_with("error: there is no method `saliencey`; the methods are saliency, "),
        "{}",
        said.err
    );
    let said = place.run(&["explain", "run", "--method", "grad-cam", "--set", "layer=conv7"]);
    assert_eq!(said.err, "error: there is no convolution `conv7`; the network has conv1\n");
    place.refuses(&["explain", "run", "--class", "seven"], 2, "there is no class `seven`; there are: 0, 1");
    place.refuses(
        &["explain", "run", "--mistakes", "4"],
        2,
        "the network makes no mistake on the test split",
    );
    let list = place.ok(&["explain", "--list"]).out;
    assert!(list.contains("integrated-gradients") && list.contains("needs gradients"), "{list}");
}
