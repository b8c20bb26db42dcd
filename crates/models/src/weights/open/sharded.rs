//! Several files of tensors, and an index that says which tensor lies in which: Hugging Face's `model.safetensors.index.json`
//! and `pytorch_model.bin.index.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::Deserialize;

use super::{Opened, Source, error::OpenProblem, read_whole};

/// Bytes of an index, some 100 a tensor.
const MAX_INDEX: u64 = 64 << 20;

/// The part of an index that is read.
#[derive(Deserialize)]
struct Index {
    /// The file of each tensor.
    weight_map: BTreeMap<String, String>,
}

/// Reads the tensors that an index lists from its shards, which `shard` opens by name.
pub(crate) fn read<S: Source>(
    index: impl Source,
    mut shard: impl FnMut(&str) -> Result<S, OpenProblem>,
) -> Result<Opened, OpenProblem> {
    let index = parse(index)?;
    let files: BTreeSet<&String> = index.weight_map.values().collect();
    if let Some(name) = files.iter().find(|name| !is_plain(name)) {
        return Err(OpenProblem::Refused(format!(
            "it names the shard `{name}`, and shards lie beside the index, without a path"
        )));
    }
    let mut all = Opened::default();
    for file in files {
        let opened = shard(file).and_then(read_whole);
        let opened = opened.map_err(|problem| within(file, problem))?;
        check(&index, file, &opened)?;
        all.state.extend(opened.state);
        all.left_out.extend(opened.left_out);
    }
    let lost = index.weight_map.keys().find(|name| !has(&all, name));
    match lost {
        Some(name) => Err(OpenProblem::Damaged(format!(
            "it says that tensor `{name}` lies in `{}`, and it does not",
            index.weight_map[name]
        ))),
        None => Ok(all),
    }
}

fn parse(mut index: impl Source) -> Result<Index, OpenProblem> {
    let length = index.measure()?;
    if length > MAX_INDEX {
        return Err(OpenProblem::Refused(format!(
            "it is an index of {length} bytes, and more than {MAX_INDEX} are not read"
        )));
    }
    let mut json = Vec::new();
    index.take(length).read_to_end(&mut json)?;
    serde_json::from_slice(&json)
        .map_err(|error| OpenProblem::Damaged(format!("it is not an index of shards: {error}")))
}

/// The name of a file in the same folder, on any operating system.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0'])
}

/// Refuses a shard that holds what the index knows nothing of, or places elsewhere: no tensor is in two.
fn check(index: &Index, file: &str, opened: &Opened) -> Result<(), OpenProblem> {
    let names = opened.state.keys().chain(opened.left_out.keys());
    for name in names {
        let problem = match index.weight_map.get(name) {
            Some(listed) if listed == file => continue,
            Some(listed) => format!("tensor `{name}` lies in `{file}`, and the index says in `{listed}`"),
            None => format!("tensor `{name}` lies in `{file}`, and the index does not list it"),
        };
        return Err(OpenProblem::Damaged(problem));
    }
    Ok(())
}

fn has(opened: &Opened, name: &str) -> bool {
    opened.state.contains_key(name) || opened.left_out.contains_key(name)
}

/// Says of a problem in which shard it is.
fn within(file: &str, problem: OpenProblem) -> OpenProblem {
    match problem {
        OpenProblem::Io(error) => {
            OpenProblem::Io(std::io::Error::new(error.kind(), format!("shard `{file}`: {error}")))
        }
        OpenProblem::Refused(problem) => OpenProblem::Refused(format!("shard `{file}`: {problem}")),
        OpenProblem::Type { .. } | OpenProblem::Range { .. } => problem,
        problem => OpenProblem::Damaged(format!("shard `{file}` {problem}")),
    }
}
