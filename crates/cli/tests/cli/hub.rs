//! Encoders by their name on Hugging Face's hub, from a cache and without a network.

use crate::support::{Place, Said};
use crate::texts::copy_encoder;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const JOB: &str = r#"
[data]
source = "texts"
path = "texts.csv"
max_tokens = 16

[transfer]
from = "hf:owner/name"
mode = "full"

[train]
epochs = 1
batch_size = 8
loss = "cross-entropy"

[train.optimizer]
name = "adamw"
lr = 0.01
"#;

/// A place with texts and a job, and an encoder in `model`.
fn place() -> Place {
    let place = Place::empty();
    copy_encoder(&place, "bert", "model");
    place.write("texts.csv", "text,label\nhot,a\ncold,b\n");
    place.write("job.toml", JOB);
    place
}

/// Puts the encoder into the cache, as `huggingface_hub` has it.
fn cache(place: &Place) {
    place.copy("model", &format!("hub/models--owner--name/snapshots/{COMMIT}"));
    place.write("hub/models--owner--name/refs/main", COMMIT);
}

fn offline(place: &Place, args: &[&str]) -> Said {
    let mut command = place.command(args);
    command.env("HF_HUB_CACHE", place.path("hub")).env("HF_HUB_OFFLINE", "1");
    Said::new(command.output().unwrap())
}

#[test]
fn embed_reads_the_cache_and_says_what_it_lacks() {
    let place = place();
    let call = ["embed", "hf:owner/name", "texts.csv", "--max-tokens", "16"];
    let said = offline(&place, &call);
    assert_eq!(said.code, Some(1), "{said:?}");
    for words in [
        "hf:owner/name",
        "HF_HUB_OFFLINE is set",
        "lacks config.json; tokenizer.json; any of model.safetensors",
    ] {
        assert!(said.err.contains(words), "{said:?}");
    }
    cache(&place);
    let said = offline(&place, &call);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    // Nobody ever asked the hub for these.
    assert!(said.out.contains("1_Pooling/config.json"), "{said:?}");
    let found = place.read("embeddings.safetensors");
    place.ok(&["embed", "model", "texts.csv", "--max-tokens", "16", "--quiet"]);
    assert_eq!(found, place.read("embeddings.safetensors"));
}

#[test]
fn a_recipe_starts_from_the_snapshot_that_it_found() {
    let place = place();
    let call = ["recipe", "show", "job.toml", "--json"];
    let said = offline(&place, &[&call[..3], &["--full"]].concat());
    assert!(said.code == Some(1) && said.err.contains("lacks any of model.safetensors"), "{said:?}");
    cache(&place);
    let recipe = offline(&place, &call).object();
    let snapshot = place.path(&format!("hub/models--owner--name/snapshots/{COMMIT}"));
    assert_eq!(recipe["transfer"]["from"], snapshot.to_str().unwrap());
    assert_eq!(recipe["data"]["tokenizer"], snapshot.join("tokenizer.json").to_str().unwrap());
    assert_eq!(recipe["model"]["pooler"], "tanh");
}

#[test]
fn a_name_that_is_none_is_refused() {
    let words = "`hf:a/b/c` names no repository of the hub: it is an owner and a name with one slash between them; the form is \
                 `hf:owner/name` or `hf:owner/name@revision`";
    place().refuses(&["embed", "hf:a/b/c", "texts.csv"], 2, words);
}
