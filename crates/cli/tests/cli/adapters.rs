//! Adapters of low rank: of runs, and of files from elsewhere.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    InputShape, NoTap, Tapped,
    architectures::hugging_face::Pretrained,
    weights::{self, State},
};
use serde_json::Value;

use crate::{
    support::Place,
    texts::{copy_encoder, texts},
};

fn golden(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden").join(part)
}

fn copy_adapters(place: &Place, name: &str, to: &str) {
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        place.write(&format!("{to}/{file}"), std::fs::read(golden("peft").join(name).join(file)).unwrap());
    }
}

fn floats(value: &Value) -> Vec<f32> {
    match value.as_array() {
        Some(values) => values.iter().flat_map(floats).collect(),
        None => vec![value.as_f64().unwrap() as f32],
    }
}

/// The scores of a folder's network for the texts that a golden encoder was asked about.
fn scores(folder: &Path, base: &str) -> Vec<f32> {
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let pretrained = Pretrained::read(&config, weights::open(folder).unwrap().state).unwrap();
    let input = InputShape::Tokens { length: 16, vocabulary: pretrained.config.vocabulary };
    let network = pretrained.network(input, &Device::flex()).unwrap();
    let asked = std::fs::read(golden("hugging_face").join(base).join("expected.json")).unwrap();
    let rows = serde_json::from_slice::<Value>(&asked).unwrap()["ids"].as_array().unwrap().clone();
    let mut values = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        values.extend(floats(row));
        values.resize((i + 1) * 16, -1.0);
    }
    let x = Tensor::from_data(TensorData::new(values, [rows.len(), 16]), &Device::flex());
    network.forward(x, &mut NoTap).into_data().try_to_vec().unwrap()
}

#[test]
fn adapters_of_peft_are_merged_once() {
    let place = Place::empty();
    // A classifier, and an encoder that the adapters' last layer makes one of.
    for (adapters, base) in [("lora", "bert-classifier"), ("dora", "bert-classifier"), ("lora", "bert")] {
        for folder in ["base", "adapters", "merged", "twice"] {
            let _ = std::fs::remove_dir_all(place.path(folder));
        }
        copy_encoder(&place, base, "base");
        copy_adapters(&place, adapters, "adapters");
        let done = place.ok(&["transfer", "merge", "base", "adapters", "--out", "merged", "--json"]).object();
        assert_eq!(done["classes"], 3, "{done}");
        let config: Value = serde_json::from_slice(&place.read("merged/config.json")).unwrap();
        assert_eq!(config["architectures"][0], "BertForSequenceClassification");
        assert_eq!(place.read("merged/tokenizer.json"), place.read("base/tokenizer.json"));
        if base == "bert-classifier" {
            let expected = std::fs::read(golden("peft").join(adapters).join("expected.json")).unwrap();
            let expected = floats(&serde_json::from_slice::<Value>(&expected).unwrap()["merged"]);
            for (ours, theirs) in scores(&place.path("merged"), base).iter().zip(expected) {
                assert!((ours - theirs).abs() < 1e-4, "{adapters}: {ours}, not {theirs}");
            }
        }
        let again = place.run(&["transfer", "merge", "merged", "adapters", "--out", "twice"]);
        assert_eq!(again.code, Some(2));
        assert!(again.err.contains("adapters is merged into merged already"), "{}", again.err);
        assert!(!place.path("twice").exists());
    }
}

#[test]
fn what_cannot_be_merged_is_said_and_nothing_is_written() {
    let place = Place::empty();
    copy_encoder(&place, "bert-classifier", "base");
    copy_adapters(&place, "roberta", "other");
    copy_adapters(&place, "lora", "adapters");
    place.write("ia3/adapter_config.json", r#"{"peft_type": "IA3"}"#);
    place.write("ia3/adapter_model.safetensors", place.read("adapters/adapter_model.safetensors"));
    place.write("full/file", "x");
    for (words, says) in [
        (["nowhere", "adapters", "none"], "nowhere/config.json"),
        (["base", "nowhere", "none"], "nowhere holds no adapters: it has no adapter_model.safetensors"),
        (["base", "base", "none"], "base holds no adapters"),
        (["base", "ia3", "none"], "`peft_type` is \"IA3\"; only \"LORA\" is supported"),
        (["base", "other", "none"], "surplus: classifier.dense.bias"),
        (["base", "adapters", "full"], "full exists and is not empty"),
    ] {
        let [model, adapters, out] = words;
        let said = place.run(&["transfer", "merge", model, adapters, "--out", out]);
        assert!(said.code != Some(0) && said.err.contains(says), "{words:?}: {}", said.err);
        assert!(!place.path("none").exists());
    }
}

const JOB: &str = r#"
[data]
source = "texts"
path = "texts.csv"
max_tokens = 16

[transfer]
from = "encoder"
mode = "lora"
targets = ["query", "value", "linear1"]
layers = ["pooler"]
dropout = 0.1

[train]
epochs = 6
batch_size = 8
loss = "cross-entropy"

[train.optimizer]
name = "adamw"
lr = 0.02
"#;

/// The adapters of a run, merged into the encoder that it started from, are the run's network.
#[test]
fn a_run_of_texts_leaves_adapters_that_belong_to_its_encoder() {
    let place = Place::empty();
    copy_encoder(&place, "bert", "encoder");
    place.write("texts.csv", texts());
    place.write("job.toml", JOB);
    let done = place.ok(&["train", "job.toml", "--out", "run", "--json"]).objects().pop().unwrap();
    assert!(done["test_accuracy"].as_f64().unwrap() > 0.8, "{done}");
    // Two attentions' queries and values, two layers from 8 to 12, the pooler and the head.
    let expected = 2 * (2 * 8 * 16 + 8 * (8 + 12)) + 8 * 8 + 8 + 2 * 8 + 2;
    assert_eq!(done["trainable"], expected, "{done}");
    let config: Value = serde_json::from_slice(&place.read("run/adapter/adapter_config.json")).unwrap();
    assert_eq!((&config["task_type"], &config["r"]), (&Value::from("SEQ_CLS"), &Value::from(8)));
    assert!(config["base_model_name_or_path"].as_str().unwrap().ends_with("encoder"));
    let targets = config["target_modules"].as_array().unwrap();
    assert!(targets.contains(&"bert.encoder.layer.1.intermediate.dense".into()), "{targets:?}");

    place.ok(&["transfer", "merge", "encoder", "run", "--out", "merged"]);
    let merged: State = weights::open(&place.path("merged")).unwrap().state;
    let text = place.text("merged/config.json");
    let pretrained = Pretrained::read(&text, merged).unwrap();
    let input = InputShape::Tokens { length: 16, vocabulary: pretrained.config.vocabulary };
    let network = pretrained.network(input, &Device::flex()).unwrap();
    let (own, _) = weights::from_safetensors(&place.read("run/model.safetensors"), "format").unwrap();
    assert_eq!(weights::collect(&network), own);
    // And a network to start from.
    let words =
        ["train", "job.toml", "--set", "transfer.from=merged", "--set", "train.epochs=1", "--out", "next"];
    place.ok(&[&words[..], &["--quiet"]].concat());

    let said = place.run(&["transfer", "merge", "run", "run", "--out", "none"]);
    assert!(said.err.contains("whose adapters are merged already"), "{}", said.err);
}
