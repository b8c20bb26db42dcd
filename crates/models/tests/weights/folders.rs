use std::path::Path;

use crucible_models::weights::{self, to_safetensors};

use crate::support::{safetensors, vectors, written};

fn index(entries: &[(&str, &str)]) -> Vec<u8> {
    let map: serde_json::Map<String, serde_json::Value> =
        entries.iter().map(|(tensor, file)| ((*tensor).to_owned(), (*file).into())).collect();
    serde_json::to_vec(&serde_json::json!({ "metadata": { "total_size": 1 }, "weight_map": map })).unwrap()
}

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

const INDEX: &str = "model.safetensors.index.json";

#[test]
fn a_folder_is_read_by_what_lies_in_it() {
    let whole = vectors(&[("a", &[1.0, 2.0]), ("b", &[3.0])]);
    let pytorch = std::fs::read(written("parameter")).unwrap();
    let single =
        folder(&[("model.safetensors", &to_safetensors(&whole, None)), ("pytorch_model.bin", &pytorch)]);
    assert_eq!(weights::open(single.path()).unwrap().state, whole);
    let sharded = folder(&[
        (INDEX, &index(&[("a", "one.safetensors"), ("b", "two.safetensors")])),
        ("one.safetensors", &safetensors(&[("a", &[1.0, 2.0])])),
        ("two.safetensors", &safetensors(&[("b", &[3.0])])),
    ]);
    assert_eq!(weights::open(sharded.path()).unwrap().state, whole);
    assert_eq!(weights::open(&sharded.path().join(INDEX)).unwrap().state, whole);
    let torch = folder(&[("pytorch_model.bin", &pytorch)]);
    assert_eq!(weights::open(torch.path()).unwrap(), weights::open(&written("parameter")).unwrap());
    let shards = folder(&[
        (
            "pytorch_model.bin.index.json",
            &index(&[("weight", "one.bin"), ("frozen", "one.bin"), ("b", "two.safetensors")]),
        ),
        ("one.bin", &pytorch),
        ("two.safetensors", &safetensors(&[("b", &[3.0])])),
    ]);
    let both = weights::open(shards.path()).unwrap().state;
    assert_eq!(both.keys().collect::<Vec<_>>(), ["b", "frozen", "weight"]);
    let nested =
        folder(&[("model.safetensors.index.json", &index(&[("a", "again")])), ("again", &index(&[]))]);
    let error = weights::open(nested.path()).unwrap_err().to_string();
    assert!(error.contains("shard `again` is damaged: is an index in the place of tensors"), "{error}");
    let empty = folder(&[("notes.txt", b"")]);
    let error = weights::open(empty.path()).unwrap_err().to_string();
    assert!(error.contains("a folder with `model.safetensors`"), "{error}");
    assert!(weights::open(Path::new("/nowhere")).unwrap_err().to_string().starts_with("/nowhere: "));
}

#[test]
fn shards_and_index_must_agree() {
    let one = safetensors(&[("a", &[1.0, 2.0])]);
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("a", "../one")], "names the shard `../one`, and shards lie beside the index"),
        (&[("a", "/etc/passwd")], "names the shard `/etc/passwd`"),
        (&[("a", "C:\\one")], "names the shard `C:\\one`"),
        (&[("a", "..")], "names the shard `..`"),
        (&[("a", "one"), ("b", "one")], "tensor `b` lies in `one`, and it does not"),
        (&[("a", "one"), ("b", "both")], "tensor `a` lies in `both`, and the index says in `one`"),
        (&[("b", "both")], "tensor `a` lies in `both`, and the index does not list it"),
        (&[("a", "cut")], "shard `cut` is damaged: its tensors are 8 bytes long, and 7 are there"),
    ];
    for (entries, reason) in cases {
        let both = safetensors(&[("a", &[1.0]), ("b", &[2.0])]);
        let files =
            [(INDEX, &index(entries)[..]), ("one", &one), ("both", &both), ("cut", &one[..one.len() - 1])];
        let error = weights::open(folder(&files).path()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let lost = folder(&[(INDEX, &index(&[("a", "gone")]))]);
    let error = weights::open(lost.path()).unwrap_err().to_string();
    assert!(error.contains("shard `gone`: "), "{error}");
    let odd = folder(&[(INDEX, b"{\"weight_map\": [1]}")]);
    let error = weights::open(odd.path()).unwrap_err().to_string();
    assert!(error.contains("not an index of shards"), "{error}");
}

#[test]
fn a_compressed_run_is_refused_and_a_plain_one_read() {
    let state = vectors(&[("a", &[1.0])]);
    let meta = |text: &str| Some(("crucible", text.to_owned()));
    let plain = folder(&[("model.safetensors", &to_safetensors(&state, meta("{\"step\": 3}")))]);
    assert_eq!(weights::open(plain.path()).unwrap().state, state);
    let compressed = folder(&[("model.safetensors", &to_safetensors(&state, meta("{\"arithmetic\": {}}")))]);
    let error = weights::open(compressed.path()).unwrap_err().to_string();
    assert!(error.contains("open the run that it was made from"), "{error}");
}
