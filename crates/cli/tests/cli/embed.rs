//! Texts to vectors.

use std::path::Path;

use crucible_models::weights::{HostTensor, State, from_safetensors};
use serde_json::{Value, json};

use crate::support::Place;

/// A place with the tiny encoder `name`, in `model`, and its texts in three kinds of files.
fn place(name: &str) -> (Place, Value) {
    let place = Place::empty();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden/hugging_face").join(name);
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        place.write(&format!("model/{file}"), std::fs::read(golden.join(file)).unwrap());
    }
    let expected: Value =
        serde_json::from_slice(&std::fs::read(golden.join("expected.json")).unwrap()).unwrap();
    let texts: Vec<&str> =
        expected["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let quoted = |separator: &str| {
        let rows = texts.iter().map(|text| format!("7{separator}\"{}\"\n", text.replace('"', "\"\"")));
        format!("id{separator}text\n{}", rows.collect::<String>())
    };
    place.write("texts.csv", quoted(","));
    place.write("texts.tsv", quoted("\t"));
    place.write(
        "texts.jsonl",
        texts.iter().map(|text| json!({"text": text}).to_string() + "\n").collect::<String>(),
    );
    (place, expected)
}

fn state(place: &Place, file: &str) -> State {
    let (state, format) = from_safetensors(&place.read(file), "format").unwrap();
    assert_eq!(format.as_deref(), Some("pt"));
    state
}

/// The vectors that a call writes.
fn embed(place: &Place, args: &[&str]) -> HostTensor {
    place.ok(&[&["embed", "model", "texts.jsonl", "--max-tokens", "16", "--quiet"], args].concat());
    let mut state = state(place, "embeddings.safetensors");
    assert_eq!(state.len(), 1);
    state.remove("embeddings").unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    match value.as_array() {
        Some(values) => values.iter().flat_map(floats).collect(),
        None => vec![value.as_f64().unwrap() as f32],
    }
}

fn normalized(values: &[f32]) -> Vec<f32> {
    let row = |row: &[f32]| {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter().map(|v| v / norm).collect::<Vec<_>>()
    };
    values.chunks_exact(8).flat_map(row).collect()
}

#[track_caller]
fn close(actual: &HostTensor, expected: &[f32]) {
    assert_eq!(actual.shape, [expected.len() / 8, 8]);
    for (a, b) in actual.values.iter().zip(expected) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

#[test]
fn vectors_are_those_of_transformers() {
    for name in ["bert", "roberta", "distilbert"] {
        let (place, expected) = place(name);
        let raw = floats(&expected["vectors"]);
        close(&embed(&place, &[]), &normalized(&raw));
        close(&embed(&place, &["--no-normalize"]), &raw);
        place.ok(&["embed", "model", "texts.jsonl", "--max-tokens", "16", "--tokens", "--quiet"]);
        let tokens = &state(&place, "embeddings.safetensors")["tokens"];
        for (row, ids) in tokens.values.chunks_exact(16).zip(expected["ids"].as_array().unwrap()) {
            let shown: Vec<f32> = row.iter().copied().filter(|&token| token >= 0.0).collect();
            assert_eq!(shown, floats(ids), "{name}");
            assert!(row[shown.len()..].iter().all(|&token| token == -1.0));
        }
    }
    // A classifier's vectors are those that its head reads.
    let (place, expected) = place("bert-classifier");
    close(&embed(&place, &["--no-normalize"]), &floats(&expected["vectors"]));
}

#[test]
fn rows_do_not_depend_on_batches_or_the_kind_of_file() {
    let (place, _) = place("bert");
    let all = embed(&place, &[]);
    for args in [&["--batch", "1"][..], &["--batch", "4", "--threads", "1"]] {
        close(&embed(&place, args), &all.values);
    }
    let before = place.read("embeddings.safetensors");
    for file in ["texts.csv", "texts.tsv", "texts.jsonl"] {
        place.ok(&[
            "embed",
            "model",
            file,
            "--column",
            "text",
            "--out",
            "new.safetensors",
            "--max-tokens",
            "16",
            "-q",
        ]);
        close(&state(&place, "new.safetensors")["embeddings"], &all.values);
    }
    assert_eq!(before.len(), place.read("new.safetensors").len());
}

#[test]
fn people_and_machines_are_told() {
    let (place, expected) = place("bert");
    let said = place.ok(&["embed", "model", "texts.csv", "--max-tokens", "16"]);
    assert!(said.out.starts_with("Wrote embeddings.safetensors: 9 vectors of 8 features, "), "{}", said.out);
    assert!(said.out.ends_with("\nCut to 16 tokens: 1 of 9 texts.\n"), "{}", said.out);
    let object = place.ok(&["embed", "model", "texts.csv", "--max-tokens", "16", "--json"]).object();
    let tokens: usize =
        expected["ids"].as_array().unwrap().iter().map(|ids| ids.as_array().unwrap().len()).sum();
    assert!(object["seconds"].as_f64().unwrap() > 0.0);
    let told = ["file", "rows", "width", "tokens", "cut", "max_tokens", "pooling", "normalized"];
    assert_eq!(
        told.map(|key| object[key].clone()),
        [
            json!("embeddings.safetensors"),
            json!(9),
            json!(8),
            json!(tokens),
            json!(1),
            json!(16),
            json!("mean"),
            json!(true)
        ]
    );
}

#[test]
fn the_folder_says_how_to_pool_and_where_to_cut() {
    let (place, _) = place("bert");
    let asked = |args: &[&str]| {
        let object = place.ok(&[&["embed", "model", "texts.csv", "--json"], args].concat()).object();
        (object["max_tokens"].as_u64().unwrap(), object["pooling"].as_str().unwrap().to_owned())
    };
    let answer = |tokens, pooling: &str| (tokens, pooling.to_owned());
    assert_eq!(asked(&[]), answer(20, "mean"), "all places that the network has");
    place.write("model/tokenizer_config.json", "{\"model_max_length\": 12}");
    assert_eq!(asked(&[]).0, 12);
    place.write("model/sentence_bert_config.json", "{\"max_seq_length\": 10}");
    place.write(
        "model/1_Pooling/config.json",
        "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}",
    );
    assert_eq!(asked(&[]), answer(10, "cls"));
    let cls = place.read("embeddings.safetensors");
    assert_eq!(asked(&["--pooling", "mean", "--max-tokens", "7"]), answer(7, "mean"));
    assert_ne!(place.read("embeddings.safetensors"), cls);
    place.write("model/tokenizer_config.json", "{\"model_max_length\": 1000000000000000019884624838656}");
    place.write("model/sentence_bert_config.json", "{\"max_seq_length\": null}");
    assert_eq!(asked(&[]).0, 20);
    place.write(
        "model/1_Pooling/config.json",
        "{\"pooling_mode_max_tokens\": true, \"pooling_mode_mean_tokens\": true}",
    );
    place.refuses(
        &["embed", "model", "texts.csv"],
        1,
        "model/1_Pooling/config.json: it pools by max_tokens and mean_tokens; --pooling mean or cls takes one of those \
         instead",
    );
    assert_eq!(asked(&["--pooling", "cls"]).1, "cls");
}

#[test]
fn bad_input_is_told_and_nothing_is_written() {
    let (place, _) = place("bert");
    let embed = |file: &'static str| ["embed", "model", file, "--out", "out.safetensors"];
    place.write("other.csv", "id,body\n1,x\n");
    let words = "other.csv:1:1: no column \"text\"; the columns are \"id\", \"body\"";
    place.refuses(&embed("other.csv"), 1, words);
    place.write("texts.txt", "a text");
    place.refuses(
        &embed("texts.txt"),
        1,
        "texts.txt, byte 0: texts are read from files named .csv, .tsv or .jsonl",
    );
    place.refuses(&embed("none.csv"), 1, "none.csv: No such file or directory (os error 2)");
    let words = "cannot write nowhere/x.safetensors: No such file or directory (os error 2)";
    place.refuses(&["embed", "model", "texts.csv", "--out", "nowhere/x.safetensors"], 1, words);
    place.refuses(
        &["embed", "model", "texts.csv", "--out", "model"],
        1,
        "cannot write model: is a directory",
    );
    place.refuses(
        &["embed", "models", "texts.csv"],
        2,
        "models is no folder of an encoder: there is no such folder",
    );
    let words = "model: texts of up to 21 tokens do not fit the 20 places of `bert`; cut them to 20";
    place.refuses(&["embed", "model", "texts.csv", "--max-tokens", "21"], 1, words);
    let words = "model/tokenizer.json: 2 tokens have no room for a text; its ends are 2";
    place.refuses(&["embed", "model", "texts.csv", "--max-tokens", "2"], 1, words);
    assert!(!place.path("out.safetensors").exists());
}

#[test]
fn folders_that_are_none_say_what_they_lack() {
    for name in ["config.json", "tokenizer.json"] {
        let (place, _) = place("bert");
        std::fs::remove_file(place.path(&format!("model/{name}"))).unwrap();
        let words = format!(
            "model is no folder of an encoder: it has no {name}; needed are config.json, tokenizer.json and the weights"
        );
        place.refuses(&["embed", "model", "texts.csv"], 2, &words);
    }
    let (place, _) = place("bert");
    let embed = ["embed", "model", "texts.csv"];
    let config = place.text("model/config.json");
    place.edit("model/config.json", "\"model_type\": \"bert\"", "\"model_type\": \"llama\"");
    let words = "model/config.json: `model_type` is \"llama\"; read are \"bert\", \"roberta\", \"xlm-roberta\" and \"distilbert\"";
    place.refuses(&embed, 1, words);
    place.write("model/config.json", config.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"));
    let said = place.run(&embed);
    let words = "error: model: the weights do not fit the network; missing: \
                 encoder.layer.2.attention.output.LayerNorm.bias, ";
    assert!(said.err.starts_with(words) && said.code == Some(1), "{said:?}");
    place.write("model/config.json", &config);
    let tokenizer = place.text("model/tokenizer.json");
    place.write("model/tokenizer.json", "{}");
    let said = place.run(&embed);
    assert!(said.err.starts_with("error: model/tokenizer.json: ") && said.code == Some(1), "{said:?}");
    place.write("model/tokenizer.json", tokenizer.replace("\"hot\":", "\"hot\": 300, \"unheard\":"));
    let said = place.run(&embed);
    let words = "error: model: the texts have 301 kinds of tokens, but `bert` knows ";
    assert!(said.err.starts_with(words) && said.err.contains("another tokenizer"), "{said:?}");
    let weights = place.read("model/model.safetensors");
    place.write("model/model.safetensors", &weights[..weights.len() - 4]);
    place.write("model/tokenizer.json", tokenizer);
    let said = place.run(&embed);
    assert!(said.err.contains("model/model.safetensors: is damaged: ") && said.code == Some(1), "{said:?}");
    std::fs::remove_file(place.path("model/model.safetensors")).unwrap();
    let said = place.run(&embed);
    assert!(said.err.starts_with("error: model: holds no weights") && said.code == Some(1), "{said:?}");
}
