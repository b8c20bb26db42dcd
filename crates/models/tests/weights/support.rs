use std::{collections::BTreeMap, io::Write, path::PathBuf};

use crucible_models::weights::{self, HostTensor, OpenError, Opened, State, to_safetensors};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

pub(crate) type Tensors = BTreeMap<String, Tensor>;

#[derive(serde::Deserialize)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// A file that PyTorch wrote.
pub(crate) fn written(name: &str) -> PathBuf {
    golden(&format!("pytorch/{name}.pt"))
}

pub(crate) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The float tensors that PyTorch reads back from each file.
pub(crate) fn expected() -> BTreeMap<String, Tensors> {
    serde_json::from_slice(&std::fs::read(golden("pytorch.json")).unwrap()).unwrap()
}

pub(crate) fn state(tensors: Tensors) -> State {
    let host = |tensor: Tensor| HostTensor { shape: tensor.shape, values: tensor.values };
    tensors.into_iter().map(|(name, tensor)| (name, host(tensor))).collect()
}

/// A state of vectors.
pub(crate) fn vectors(tensors: &[(&str, &[f32])]) -> State {
    let host = |values: &[f32]| HostTensor { shape: vec![values.len()], values: values.to_vec() };
    tensors.iter().map(|(name, values)| ((*name).to_owned(), host(values))).collect()
}

pub(crate) fn safetensors(tensors: &[(&str, &[f32])]) -> Vec<u8> {
    to_safetensors(&vectors(tensors), None)
}

/// What becomes of these bytes in a file of their own.
pub(crate) fn open(bytes: &[u8]) -> Result<Opened, OpenError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    weights::open(file.path())
}

/// Why these bytes are refused, without the path.
pub(crate) fn refusal(bytes: &[u8]) -> String {
    open(bytes).unwrap_err().problem.to_string()
}

/// A safetensors file with this header.
pub(crate) fn with_header(header: &str, values: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; values]].concat()
}

pub(crate) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(*name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An archive with a pickle and a storage `0`.
pub(crate) fn pytorch(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    archive(&[("a/data.pkl", pickle), ("a/data/0", storage)])
}
