//! Repositories that are fetched from a server on this machine.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod answers;
mod cache;
mod connection;
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crucible_hub::{Hub, HubError, Repository, Wanted};
use server::Files;
use tempfile::TempDir;

const CONFIG: &[u8] = b"{\"model_type\": \"bert\"}";
const WANTED: [Wanted<'static>; 4] = [
    Wanted::Required("config.json"),
    Wanted::Required("tokenizer.json"),
    Wanted::Optional("1_Pooling/config.json"),
    Wanted::WEIGHTS,
];

fn weights() -> Vec<u8> {
    (0..300_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn repository() -> Repository {
    Repository::parse("hf:owner/name").unwrap()
}

fn place() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn small() -> Files {
    Files::new(&[("config.json", CONFIG), ("tokenizer.json", b"{}"), ("model.safetensors", &weights())])
}

fn fetch(hub: &Hub, files: &[Wanted<'_>]) -> Result<PathBuf, HubError> {
    hub.fetch(&repository(), files, &mut |_| ())
}

fn failed(hub: &Hub, files: &[Wanted<'_>]) -> String {
    fetch(hub, files).unwrap_err().to_string()
}

/// The names in a folder of the repository's.
fn names(cache: &Path, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(cache.join("models--owner--name").join(folder)).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn blob(cache: &Path, content: &[u8]) -> PathBuf {
    cache.join("models--owner--name/blobs").join(Files::etag(content, true))
}
