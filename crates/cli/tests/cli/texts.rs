//! Runs that read texts.

use std::fmt::Write;
use std::path::Path;

use crucible_models::weights;
use serde_json::Value;

use crate::support::{Place, noise};

/// Which of two words a text has is its class.
const JOB: &str = r#"
[data]
source = "texts"
path = "texts.csv"
max_tokens = 16
validation = 0.2

[transfer]
from = "encoder"
mode = "full"

[train]
epochs = 6
batch_size = 8
loss = "cross-entropy"

[train.optimizer]
name = "adamw"
lr = 0.01

[train.schedule]
name = "linear"
rise = 0.1
"#;

pub(crate) fn copy_encoder(place: &Place, name: &str, to: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden/hugging_face").join(name);
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        place.write(&format!("{to}/{file}"), std::fs::read(golden.join(file)).unwrap());
    }
}

/// 160 texts of 1 to 12 words, sorted by their labels.
pub(crate) fn texts() -> String {
    let mut noise = noise(4);
    let words = ["the", "metal", "melts", "is", "a", "crucible", "here", "degrees"];
    let mut table = "id,text,label\n".to_owned();
    for row in 0..160 {
        let count = 1 + (noise() * 12.0) as usize;
        let mut text: Vec<&str> = (0..count).map(|_| words[(noise() * 8.0) as usize]).collect();
        let (word, label) = [("hot", "warm"), ("cold", "chilly")][usize::from(row >= 80)];
        let place = (noise() * count as f64) as usize;
        text[place] = word;
        writeln!(table, "{row},{},{label}", text.join(" ")).unwrap();
    }
    table
}

fn place() -> Place {
    let place = Place::empty();
    copy_encoder(&place, "bert", "encoder");
    place.write("texts.csv", texts());
    place.write("job.toml", JOB);
    place
}

fn train(place: &Place, more: &[&str], out: &str) -> Value {
    let words = [&["train", "job.toml", "--out", out, "--json"], more].concat();
    place.ok(&words).objects().pop().unwrap()
}

#[test]
fn a_run_of_texts_is_trained_used_and_told_of_without_the_folder_that_it_came_from() {
    let place = place();
    let done = train(&place, &[], "run");
    assert!(done["test_accuracy"].as_f64().unwrap() > 0.9, "{done}");
    assert_eq!(place.read("run/tokenizer.json"), place.read("encoder/tokenizer.json"));
    let recipe = place.text("run/recipe.toml");
    for line in ["name = \"bert\"", "pooling = \"cls\"", "pooler = \"tanh\"", "layers = 2", "vocabulary = 90"]
    {
        assert!(recipe.contains(line), "{line} in {recipe}");
    }
    assert!(recipe.contains("/encoder/tokenizer.json\""), "{recipe}");
    std::fs::remove_dir_all(place.path("encoder")).unwrap();

    let object = place.ok(&["eval", "run", "--json"]).object();
    assert_eq!(object["accuracy"], done["test_accuracy"]);
    assert_eq!(object["loss"], done["test_loss"]);
    place.ok(&["report", "run"]);
    let report = place.text("run/report.html");
    assert!(report.contains("Trainable parameters") && report.contains("bert on texts"));

    place.write(
        "new.csv",
        "text\nthe hot metal\n\"a cold\ncrucible\"\nthe metal is cold here and there and everywhere\n",
    );
    let answers = place.ok(&["predict", "run", "new.csv", "--json"]).objects();
    let named: Vec<(&str, &str)> =
        answers.iter().map(|a| (a["input"].as_str().unwrap(), a["class"].as_str().unwrap())).collect();
    assert_eq!(named, [("new.csv:2", "warm"), ("new.csv:3", "chilly"), ("new.csv:5", "chilly")]);
    // Neither the batch nor the order of texts changes an answer.
    place.write("one.jsonl", "{\"text\": \"the hot metal\"}\n");
    let one = place.ok(&["predict", "run", "one.jsonl", "--json"]).object();
    let probability = |object: &Value| object["probabilities"][0].as_f64().unwrap();
    assert!((probability(&one) - probability(&answers[0])).abs() < 1e-5, "{one} {}", answers[0]);
    assert_eq!(one["input"], "one.jsonl:1");

    let words = "new.tsv:1:1: no column \"text\"; the columns are \"body\"";
    place.write("new.tsv", "body\nx\n");
    place.refuses(&["predict", "run", "new.tsv"], 1, words);
    place.write("empty.csv", "");
    place.refuses(&["predict", "run", "empty.csv"], 1, "empty.csv:1:1: no header");
    place.edit("run/tokenizer.json", "\"direction\": \"Right\"", "\"direction\": \"Left\"");
    let words = "run/tokenizer.json: the network was trained on the tokens of another tokenizer";
    place.refuses(&["predict", "run", "new.csv"], 1, words);
    std::fs::remove_file(place.path("run/tokenizer.json")).unwrap();
    let words = "run/tokenizer.json: No such file or directory (os error 2)";
    place.refuses(&["predict", "run", "new.csv"], 1, words);
}

#[test]
fn training_goes_on_to_the_same_bytes_and_lengths_are_grouped_unless_told() {
    let place = place();
    train(&place, &[], "whole");
    let weights = place.read("whole/model.safetensors");
    // Checkpoints within an epoch, the last of which a stopped run would have.
    train(&place, &["--set=train.checkpoint={ every_steps = 5 }"], "other");
    assert!(place.read("other/model.safetensors") == weights, "the same seed gives the same bytes");
    std::fs::remove_file(place.path("other/model.safetensors")).unwrap();
    place.ok(&["train", "--resume", "other", "--quiet"]);
    assert!(place.read("other/model.safetensors") == weights);
    train(&place, &["--set", "train.group_by_length=true"], "grouped");
    assert!(place.read("grouped/model.safetensors") == weights, "it is the default");
    train(&place, &["--set", "train.group_by_length=false"], "shuffled");
    assert!(place.read("shuffled/model.safetensors") != weights);
}

#[test]
#[cfg(unix)]
fn a_run_that_is_killed_goes_on_to_the_same_bytes() {
    let place = place();
    let more = ["--set", "train.epochs=40", "--set=train.checkpoint={ every_steps = 3 }"];
    train(&place, &more, "whole");
    let wanted = place.read("whole/model.safetensors");
    let args = [&["train", "job.toml", "--quiet", "--out", "run"], &more[..]].concat();
    let mut child = place.command(&args).spawn().unwrap();
    while !place.path("run/checkpoints/last.safetensors").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let _ = child.kill();
    child.wait().unwrap();
    // The tokenizer is the run's own by now.
    std::fs::rename(place.path("encoder/tokenizer.json"), place.path("encoder/gone.json")).unwrap();
    place.ok(&["train", "--resume", "run", "--quiet"]);
    assert!(place.read("run/model.safetensors") == wanted);
}

#[test]
fn every_mode_trains_what_it_says() {
    let place = place();
    let read = |file: &str| weights::open(&place.path(file)).unwrap().state;
    let start = read("encoder/model.safetensors");
    let words = &start["embeddings.word_embeddings.weight"].values;
    for (mode, changed) in [
        ("transfer.mode=full", true),
        ("transfer.mode=scratch", true),
        ("transfer.mode=probe", false),
        ("transfer={ from = \"encoder\", mode = \"layers\", layers = [\"layers.1\"] }", false),
        ("transfer.mode=bit-fit", false),
    ] {
        let _ = std::fs::remove_dir_all(place.path("run"));
        let done = train(&place, &["--set", mode, "--set", "train.epochs=1"], "run");
        let after = read("run/model.safetensors");
        assert_eq!(&after["words.weight"].values != words, changed, "{mode}");
        assert_eq!(after["head.weight"].shape, [2, 8]);
        assert!(done["trainable"].as_u64() <= done["total"].as_u64(), "{done}");
        let accuracy = place.ok(&["eval", "run", "--json"]).object()["accuracy"].clone();
        assert_eq!(accuracy, done["test_accuracy"], "{mode}");
    }
    // A probe on features that were computed once is as good as one through the whole network.
    let probed = train(&place, &["--set", "transfer.mode=probe"], "probe");
    assert!(probed["test_accuracy"].as_f64().unwrap() > 0.4, "{probed}");
}

#[test]
fn a_run_or_a_folder_says_what_the_network_is() {
    let place = place();
    let short = ["--set", "train.epochs=1"];
    train(&place, &short, "first");
    // From a run: its network and its tokenizer, for other classes.
    place.write("three.csv", texts().replace("the", "hot").replacen("warm", "hot", 40));
    std::fs::remove_dir_all(place.path("encoder")).unwrap();
    let more =
        ["--set", "transfer.from=first", "--set", "data.path=three.csv", "--set", "data.max_tokens=10"];
    train(&place, &[&short[..], &more].concat(), "second");
    let config: Value = serde_json::from_slice(&place.read("second/config.json")).unwrap();
    assert_eq!((&config["outputs"], &config["format"]["input"]["max_tokens"]), (&3.into(), &10.into()));
    assert_eq!(config["architecture"]["pooler"], "tanh");

    for name in ["roberta", "distilbert", "bert-classifier", "distilbert-classifier", "roberta-classifier"] {
        copy_encoder(&place, name, name);
        let from = format!("transfer.from={name}");
        train(&place, &[&short[..], &["--set", &from]].concat(), &format!("run-{name}"));
    }
    copy_encoder(&place, "bert", "encoder");
    let recipe = |more: &[&str]| {
        place.ok(&[&["recipe", "show", "job.toml", "--json"], more].concat()).object()["model"].clone()
    };
    assert_eq!(recipe(&[])["pooler"], "tanh");
    let mean = recipe(&["--set", "model.pooling=mean"]);
    assert_eq!(
        (&mean["pooling"], &mean["pooler"], &mean["layers"]),
        (&"mean".into(), &Value::Null, &2.into())
    );
    assert_eq!(recipe(&["--set", "model.head_dropout=0.5"])["head_dropout"], 0.5);
    train(&place, &[&short[..], &["--set", "model.pooling=mean"]].concat(), "mean");
}

#[test]
fn what_does_not_fit_is_told_before_anything_is_written() {
    let place = place();
    let refuses = |more: &[&str], code, words: &str| {
        place.refuses(&[&["train", "job.toml", "--out", "run"], more].concat(), code, words);
    };
    let words = "{here}/nowhere is no folder of an encoder: there is no such folder; `transfer.from` names it, and without \
                 it the recipe needs a table `[model]`";
    let said = place.run(&["train", "job.toml", "--set", "transfer.from=nowhere"]);
    assert_eq!(
        (said.code, said.err.replace("./", "")),
        (Some(2), format!("error: {}\n", words.replace("{here}/", "")))
    );
    place.write("empty.csv", "");
    refuses(&["--set", "data.path=empty.csv"], 1, "{here}/empty.csv:1:1: no header");
    let words = "texts of up to 21 tokens do not fit the 20 places of `bert`; cut them to 20";
    refuses(&["--set", "data.max_tokens=21"], 2, words);

    copy_encoder(&place, "roberta", "other");
    let words = "the texts have 285 kinds of tokens, but `bert` knows 90: they are of another tokenizer";
    refuses(&["--set", "data.tokenizer=other"], 2, words);

    let misfit = |more: &[&str]| place.run(&[&["train", "job.toml", "--out", "run"], more].concat());
    let said = misfit(&["--set", "transfer.head=keep"]);
    assert!(
        said.err.contains("the weights do not fit the network; missing: classifier.bias, classifier.weight"),
        "{said:?}"
    );
    let said = misfit(&["--set", "model.layers=3"]);
    assert!(said.err.contains("missing: encoder.layer.2.attention.output.LayerNorm.bias"), "{said:?}");
    let said = misfit(&["--set", "model.feedforward=13"]);
    let words = "encoder.layer.0.intermediate.dense.bias is [12] in the file, [13] in the network";
    assert!(said.code == Some(2) && said.err.contains(words), "{said:?}");
    assert!(said.err.contains("job.toml:9:8: ") && said.err.contains("from = \"encoder\""), "{said:?}");

    std::fs::remove_file(place.path("encoder/tokenizer.json")).unwrap();
    let said = misfit(&[]);
    let words = "texts become inputs by a tokenizer: name a tokenizer.json or a folder with one, or a `transfer.from` that has one";
    assert!(said.code == Some(2) && said.err.contains(words), "{said:?}");
    let said = misfit(&["--set", "data.tokenizer=nowhere"]);
    assert!(said.code == Some(1) && said.err.contains("nowhere: No such file"), "{said:?}");
    assert!(!place.path("run").exists());

    let place = Place::with_tables();
    let words = "only texts differ in length, and the data are none";
    let said = place.run(&["train", "job.toml", "--set", "train.group_by_length=true"]);
    assert!(said.code == Some(2) && said.err.contains(words), "{said:?}");
}

#[test]
fn a_guarantee_draws_samples_by_chance_alone() {
    let place = place();
    let private = "--set=train.privacy={ epsilon = 8.0, delta = 0.001 }";
    let said = place.run(&["train", "job.toml", private, "--set", "train.group_by_length=true"]);
    let words = "`train.privacy` draws every sample by chance, whatever the examples' lengths";
    assert!(said.code == Some(2) && said.err.contains(words), "{said:?}");
    let done =
        train(&place, &[private, "--set", "train.epochs=1", "--set", "transfer.mode=probe"], "private");
    assert_eq!(done["private"], true, "{done}");
}

#[test]
fn verbs_that_compute_with_inputs_refuse_texts_and_others_show_them() {
    let place = place();
    train(&place, &["--set", "train.epochs=1"], "run");
    let why =
        "but this run reads texts, and the numbers of tokens are names that nothing can be computed with";
    for (args, what) in [
        (&["attack", "run", "--method", "fgsm"][..], "an attack changes inputs a little"),
        (&["attack", "detect", "run"], "backdoors are looked for in pictures"),
        (&["certify", "run"], "a certificate is about all inputs within a distance"),
        (&["privacy", "extract", "run"], "an extraction looks for inputs by gradients or columns"),
        (
            &["export", "run", "--onnx", "x.onnx"],
            "ONNX files are written of networks that compute with their inputs",
        ),
        (&["compress", "run", "--int8"], "networks that compute with their inputs are compressed"),
        (&["compress", "run", "--prune", "0.5"], "networks that compute with their inputs are compressed"),
        (
            &["explain", "run", "--method", "saliency"],
            "explanations say what each value of an input does, except for `prototypes`, which shows whole texts",
        ),
        (
            &["explain", "run", "--method", "partial-dependence"],
            "explanations say what each value of an input does, except for `prototypes`, which shows whole texts",
        ),
    ] {
        place.refuses(args, 2, &format!("{what}, {why}"));
    }
    let said = place.run(&["train", "job.toml", "--set=defence={ name = \"pgd\" }", "--out", "x"]);
    let words = "`defence` changes inputs a little, but the data are texts, whose tokens are names";
    assert!(said.code == Some(2) && said.err.contains(words), "{said:?}");
    let said = place.run(&["train", "job.toml", "--set=poison={ target = \"warm\" }", "--out", "x"]);
    assert!(said.err.contains("`poison` puts a trigger on pictures, but the data are texts"), "{said:?}");

    place.ok(&["explain", "run", "--method", "prototypes", "--quiet"]);
    place.ok(&["privacy", "attack", "run", "--shadows", "2", "--quiet"]);
    let report = place.text("run/report.html");
    let table = place.text("texts.csv");
    let shown = table.lines().skip(1).filter(|line| report.contains(line.split(',').nth(1).unwrap())).count();
    assert!(shown > 10, "{shown} texts are shown");
    place.ok(&["model", "summary", "run"]);
    place.ok(&["model", "summary", "job.toml"]);
}

#[test]
fn data_verbs_say_how_long_texts_are_and_how_many_are_cut() {
    let place = place();
    let set = ["--set", "source=texts", "--set", "tokenizer=encoder", "--set", "max_tokens=8"];
    let object = place.ok(&[&["data", "inspect", "texts.csv", "--json"], &set[..]].concat()).object();
    let cut = object["splits"][0]["cut"].as_u64().unwrap();
    assert!(cut > 10, "{object}");
    assert_eq!(object["splits"][0]["texts"][0]["class"], "chilly");
    let said = place.ok(&[&["data", "inspect", "texts.csv"], &set[..]].concat()).out;
    assert!(said.contains(&format!("cut to 8 tokens:     {cut} of 128 texts")), "{said}");
    assert!(
        said.contains("tokens of text") && said.contains("  chilly: ") && said.contains("cold"),
        "{said}"
    );
    place.write("a.jsonl", "{\"text\": \"hot\", \"label\": true}\n{\"text\": \"cold\", \"label\": false}\n");
    place.ok(&["data", "inspect", "a.jsonl", "--set", "tokenizer=encoder", "--set", "test=0.0"]);
    place.ok(&["data", "inspect", "job.toml"]);
}

#[test]
fn the_shipped_recipe_says_what_to_set_and_runs_with_it() {
    let place = place();
    let both = "movie-sentiment.toml needs paths of your own:\n  --set data.path=FILE         texts with the columns `text` and \
                `label`: .csv, .tsv or .jsonl, gzipped or not\n  --set transfer.from=FOLDER   an encoder such as MiniLM, with \
                its config.json, model.safetensors and tokenizer.json";
    place.refuses(&["train", "movie-sentiment"], 2, both);
    place.refuses(&["recipe", "check", "movie-sentiment"], 2, both);
    let said = place.run(&["train", "movie-sentiment", "--set", "data.path=texts.csv"]);
    assert!(!said.err.contains("data.path") && said.err.contains("--set transfer.from=FOLDER"), "{said:?}");
    place.ok(&[
        "train",
        "movie-sentiment",
        "--set",
        "data.path=texts.csv",
        "--set",
        "transfer.from=encoder",
        "--set",
        "data.max_tokens=16",
        "--out",
        "run",
        "--quiet",
    ]);
    assert!(place.ok(&["eval", "run", "--json"]).object()["accuracy"].is_number());
}
