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

fn files(object: &Value) -> Vec<String> {
    serde_json::from_value(object["files"].clone()).unwrap()
}

fn numbers(array: &Value) -> Vec<f64> {
    serde_json::from_value(array.clone()).unwrap()
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
fn arrays_are_also_written_as_npy() {
    let place = pictures();
    let found = objects(&place, &["explain", "run", "--count", "3", "--no-checks", "--arrays", "npy"]);
    let files = files(&found[2]);
    let name = |array: &str| format!("run/explanations/integrated-gradients-{array}");
    assert_eq!(files, [name("inputs.npy"), name("values.npy"), name("2.png")]);
    let bytes = place.read(&files[1]);
    let values = &bytes[bytes.len() - 4 * 3 * 64..];
    let header = String::from_utf8_lossy(&bytes[10..bytes.len() - values.len()]).into_owned();
    assert!(header.contains("'shape': (3, 1, 8, 8)") && header.ends_with('\n'), "{header}");
    objects(&place, &["explain", "run", "--count", "3", "--no-checks"]);
    let (arrays, _) =
        from_safetensors(&place.read(&name("values.npy").replace("-values.npy", ".safetensors")), "")
            .unwrap();
    let expected: Vec<u8> = arrays["values"].values.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(values, expected);
}

#[test]
fn rows_of_a_table_are_explained_by_their_columns() {
    let place = Place::with_run();
    let said = place.ok(&["explain", "run", "--count", "2", "--class", "left"]);
    assert!(said.out.contains("explained: left") || said.out.contains("answered left"), "{}", said.out);
    let report = place.text("run/report.html");
    assert!(report.contains("The columns that matter most for left.") && report.contains("colour = red"));
    let picture = place.text("run/explanations/integrated-gradients-1.svg");
    assert!(picture.starts_with("<svg ") && picture.contains("colour = red"), "{picture}");
}

#[test]
fn columns_are_asked_over_the_whole_data() {
    let place = Place::with_run();
    let methods =
        ["--method", "permutation-importance", "--method", "saliency", "--method", "partial-dependence"];
    let found =
        objects(&place, &[&["explain", "run", "--no-checks", "--count", "20"], &methods[..]].concat());
    assert_eq!(found.iter().filter(|object| object["method"] == "saliency").count(), 20);
    let [importance, dependence] = found.last_chunk().unwrap();

    assert_eq!((&importance["examples"], &importance["repeats"]), (&20.into(), &10.into()));
    let columns = importance["columns"].as_array().unwrap();
    assert_eq!((&columns[0]["column"], &columns[1]["column"]), (&"x".into(), &"colour".into()));
    let drop = columns[0]["accuracy_drop"].as_f64().unwrap();
    let range = numbers(&columns[0]["accuracy_drop_range"]);
    assert!(drop > 0.1 && range[0] <= drop && drop <= range[1], "{importance}");
    assert!(columns[1]["accuracy_drop"].as_f64().unwrap() < 0.1, "{importance}");
    let (arrays, _) = from_safetensors(&place.read(&files(importance)[0]), "").unwrap();
    assert_eq!(arrays["accuracy_drops"].shape, [2, 10]);
    let mean = arrays["accuracy_drops"].values[..10].iter().sum::<f32>() / 10.0;
    assert!((f64::from(mean) - drop).abs() < 1e-6, "{mean} {drop}");

    assert_eq!(dependence["class"], "right");
    let columns = dependence["columns"].as_array().unwrap();
    let (x, colour) = (&columns[0], &columns[1]);
    assert_eq!(
        (&x["column"], &colour["values"]),
        (&"x".into(), &serde_json::json!(["blue", "green", "red"]))
    );
    let (values, probabilities) = (numbers(&x["values"]), numbers(&x["probabilities"]));
    assert!(values.len() > 10 && values.is_sorted() && probabilities.is_sorted(), "{x}");
    assert!(values.iter().all(|value| value.abs() <= 1.0), "in the units of the table: {x}");
    assert!(probabilities[0] < 0.5 && *probabilities.last().unwrap() > 0.5, "{x}");
    let files = files(dependence);
    assert_eq!(files.len(), 3);
    assert!(place.text(&files[1]).contains("right by x") && place.text(&files[2]).contains("green"));
    let report = place.text("run/report.html");
    for title in ["Which columns the network needs", "What right depends on", "Why: saliency"] {
        assert!(report.contains(title), "{title}");
    }
    // The probabilities of two classes add up to one.
    let dependence = &objects(
        &place,
        &["explain", "run", "--method", "partial-dependence", "--class", "left", "--count", "20"],
    )[0];
    let left = numbers(&dependence["columns"][0]["probabilities"]);
    assert!(left.iter().zip(&probabilities).all(|(l, r)| (l + r - 1.0).abs() < 1e-6), "{dependence}");
}

#[test]
fn examples_explain_each_class() {
    let place = pictures();
    let found = objects(&place, &["explain", "run", "--method", "prototypes", "--set", "per_class=3"]);
    assert_eq!(found.len(), 2);
    for (object, (class, other)) in found.iter().zip([("0", "1"), ("1", "0")]) {
        assert_eq!(object["class"], class);
        for (kind, of) in [
            ("prototypes", class),
            ("criticisms", class),
            ("counter_examples", other),
            ("most_certain", class),
            ("least_certain", class),
        ] {
            let examples = object[kind].as_array().unwrap();
            assert_eq!(examples.len(), 3, "{object}");
            assert!(examples.iter().all(|example| example["class"] == of), "{kind}: {object}");
        }
        let ends =
            ["most_certain", "least_certain"].map(|kind| object[kind][0]["probability"].as_f64().unwrap());
        assert!(ends[0] > ends[1], "{object}");
        // The test pictures take turns: the even ones are of the first class.
        let index: usize =
            object["prototypes"][0]["example"].as_str().unwrap()["test#".len()..].parse().unwrap();
        assert_eq!((index % 2).to_string(), class);
    }
    assert_eq!(files(&found[0]), ["run/explanations/prototypes.png"]);
    let sheet = place.read("run/explanations/prototypes.png");
    let sheet = [16, 20].map(|at| u32::from_be_bytes(sheet[at..at + 4].try_into().unwrap()));
    // Two rows of fifteen pictures, each 8 pixels and 2 between them.
    assert_eq!(sheet, [15 * 10 + 2, 2 * 10 + 2]);
    let report = place.text("run/report.html");
    assert!(report.contains("Examples of each class") && report.contains("prototype of 1"));
    let found =
        objects(&place, &["explain", "run", "--method", "prototypes", "--class", "1", "--count", "5"]);
    assert_eq!((found.len(), found[0]["prototypes"].as_array().unwrap().len()), (1, 2));
}

#[test]
fn rows_of_a_table_are_examples_too() {
    let place = Place::with_run();
    let said = place.ok(&["explain", "run", "--method", "prototypes"]).out;
    assert!(said.contains("  left:\n    prototype:       test#"), "{said}");
    let report = place.text("run/report.html");
    assert!(report.contains("least certain") && report.contains("<td>green</td>"));
    assert!(!place.path("run/explanations").exists(), "a table has no pictures");
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
    assert!(
        said.err.ends_with("attention-rollout, permutation-importance, partial-dependence, prototypes\n")
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
    assert!(list.contains("prototypes ") && list.contains("per_class=4"), "{list}");
}

#[test]
fn questions_that_the_data_as_a_whole_do_not_answer() {
    let place = pictures();
    let works = "saliency, input-x-gradient, smooth-grad, integrated-gradients, expected-gradients, occlusion, lime, \
                 kernel-shap, prototypes";
    for name in ["permutation-importance", "partial-dependence"] {
        let words =
            format!("{name} is for the columns of a table, and this run reads pictures; these work: {works}");
        place.refuses(&["explain", "run", "--method", name], 2, &words);
    }
    for pick in [&["--mistakes", "3"][..], &["--input", "one.png"]] {
        place.refuses(
            &[&["explain", "run", "--method", "prototypes", "--method", "saliency"], pick].concat(),
            2,
            "prototypes explains the data as a whole; --input and --mistakes pick single inputs for other methods",
        );
    }
    place.refuses(
        &["explain", "run", "--method", "permutation-importance", "--class", "1"],
        2,
        "permutation-importance asks about all classes at once; leave out --class",
    );
    for (method, setting, words) in [
        ("prototypes", "per_class=0", "`per_class` is 0; it must be at least 1"),
        ("prototypes", "most=0", "`most` is 0; it must be at least 1"),
        ("permutation-importance", "repeats=0", "`repeats` is 0; it must be at least 1"),
        ("partial-dependence", "points=1", "`points` is 1; it must be at least 2"),
        ("prototypes", "steps=3", "--set: unknown field `steps`, expected `per_class` or `most`"),
    ] {
        place.refuses(&["explain", "run", "--method", method, "--set", setting], 2, words);
    }
    let seven = ["explain", "run", "--method", "prototypes", "--class", "seven"];
    place.refuses(&seven, 2, "there is no class `seven`; there are: 0, 1");
    place.refuses(
        &["explain", "run", "--count", "10001"],
        2,
        "--count is 10001; at most 10000 inputs are explained",
    );
    let said = place.run(&["explain", "run", "--arrays", "csv"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("safetensors, npy"), "{}", said.err);
}
