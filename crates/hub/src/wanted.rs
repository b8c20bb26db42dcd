//! Which files of a repository are needed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// Bytes of an index of shards, some 100 a tensor.
pub(crate) const MAX_INDEX: u64 = 64 << 20;

/// A file that is needed, by its path in the repository, such as `1_Pooling/config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// Must be there.
    Required(&'a str),
    /// Is taken where it is there.
    Optional(&'a str),
    /// The first that is there, of which one must be. A name that ends in `.index.json` stands for the index and the shards
    /// that it lists.
    FirstOf(&'a [&'a str]),
}

impl Wanted<'_> {
    /// The weights of a network, in one file or in shards, as safetensors or, where there are none, as PyTorch's file.
    pub const WEIGHTS: Wanted<'static> = Wanted::FirstOf(&[
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
    ]);

    /// The names, for a message.
    pub(crate) fn described(&self) -> String {
        match self {
            Wanted::Required(name) | Wanted::Optional(name) => (*name).to_owned(),
            Wanted::FirstOf([name]) => (*name).to_owned(),
            Wanted::FirstOf(names) => format!("any of {}", names.join(", ")),
        }
    }

    /// The first name that is no path within a repository.
    pub(crate) fn wrong_name(&self) -> Option<&str> {
        let names = match self {
            Wanted::Required(name) | Wanted::Optional(name) => std::slice::from_ref(name),
            Wanted::FirstOf(names) => names,
        };
        names.iter().find(|name| !name.split('/').all(is_plain)).copied()
    }
}

/// Whether a file is an index of shards.
pub(crate) fn is_index(name: &str) -> bool {
    name.ends_with(".index.json")
}

/// The part of an index that is read.
#[derive(Deserialize)]
struct Index {
    /// The file of each tensor.
    weight_map: BTreeMap<String, String>,
}

/// The shards that an index lists; `Err` says what is wrong with it.
pub(crate) fn shards(index: &[u8]) -> Result<BTreeSet<String>, String> {
    let index: Index = serde_json::from_slice(index).map_err(|error| error.to_string())?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    match shards.iter().find(|name| !is_plain(name)) {
        Some(name) => {
            Err(format!("it names the shard `{name}`, and shards lie beside the index, without a path"))
        }
        None => Ok(shards),
    }
}

/// The name of a file in a folder, on any operating system.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && !name.contains(['/', '\\', ':'])
        && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_names_its_shards() {
        let index = br#"{"metadata": {}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-1.safetensors"}}"#;
        let shards = shards(index).unwrap();
        assert_eq!(
            shards.iter().map(String::as_str).collect::<Vec<_>>(),
            ["m-1.safetensors", "m-2.safetensors"]
        );
    }

    #[test]
    fn an_index_reaches_no_other_folder() {
        for shard in ["../x", "a/b", "", "..", "C:x", "a\\\\b", "/etc/passwd"] {
            let index = format!(r#"{{"weight_map": {{"a": "{shard}"}}}}"#);
            assert!(shards(index.as_bytes()).unwrap_err().contains("without a path"), "{shard}");
        }
        assert!(shards(b"{}").is_err());
    }

    #[test]
    fn names_of_files_stay_in_the_repository() {
        assert_eq!(Wanted::Required("1_Pooling/config.json").wrong_name(), None);
        assert_eq!(Wanted::WEIGHTS.wrong_name(), None);
        for name in ["../x", "/x", "x/", "a//b", ""] {
            assert_eq!(Wanted::Optional(name).wrong_name(), Some(name));
        }
    }
}
