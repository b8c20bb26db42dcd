//! Weights that others wrote: safetensors, in one file or several, and PyTorch's own format.
//!
//! Nothing in a file is believed before it was held against the file's length, and no code in one is ever run. The
//! modules here know no network and no Burn, so that `fuzz/` can build them alone.

mod error;
mod pytorch;
mod safetensors_file;
mod sharded;
mod values;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use super::state::{HostTensor, State};

pub use error::{OpenError, OpenProblem};
pub(crate) use {
    pytorch::read as read_pytorch, safetensors_file::read as read_safetensors, sharded::read as read_sharded,
};

/// Tensors of a file from elsewhere.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Opened {
    /// The floats, under the file's own names.
    pub state: State,
    /// What was left out, such as counters and indices, and its type.
    pub left_out: BTreeMap<String, String>,
}

/// What bytes are read from.
pub(crate) trait Source: Read + Seek {
    /// Bytes in all; stands at the beginning then.
    fn measure(&mut self) -> io::Result<u64> {
        let length = self.seek(SeekFrom::End(0))?;
        self.rewind()?;
        Ok(length)
    }
}

impl<S: Read + Seek> Source for S {}

/// Reads the tensors of a file or folder, whatever program wrote it; what it is, is told by its content.
///
/// - A safetensors file.
/// - A PyTorch file (`.pt`, `.pth`, `.bin`): the zip format that `torch.save` writes since PyTorch 1.6. Its pickle is
///   interpreted without running anything: one that names any function or class but those of tensors and dictionaries is
///   refused. Tensors may stand at the top, or under one key of it (`state_dict`, `model`) where that holds the only
///   dictionary of tensors; single numbers beside it are no second one.
/// - A folder, of which the first that is there is read: `model.safetensors`, also of a run of Crucible's, if it was not
///   compressed; the shards that `model.safetensors.index.json` lists; `pytorch_model.bin`; the shards that
///   `pytorch_model.bin.index.json` lists. An index itself may be given in the folder's place.
///
/// F32, F16, BF16 and F64 become `f32`. Integers and booleans (`num_batches_tracked`, `position_ids`) are left out, and
/// listed. Whatever a file claims, memory stays within a small multiple of its length, and half a gigabyte for a header or
/// pickle made to swell.
///
/// # Errors
///
/// Where there is nothing of the kind, it is damaged or would run code, or a tensor has another type or a value that no
/// `f32` holds.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    match path.is_dir() {
        true => open_folder(path),
        false => open_file(path),
    }
}

/// The file of a folder that is read, in the order of preference.
const IN_A_FOLDER: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

fn open_folder(path: &Path) -> Result<Opened, OpenError> {
    let found = IN_A_FOLDER.iter().map(|name| path.join(name)).find(|file| file.exists());
    found.map_or_else(
        || Err(OpenError { path: path.to_owned(), problem: OpenProblem::Unknown }),
        |file| open_file(&file),
    )
}

fn open_file(path: &Path) -> Result<Opened, OpenError> {
    let problem = |problem| OpenError { path: path.to_owned(), problem };
    let mut file = regular_file(path).map_err(problem)?;
    if kind(&mut file).map_err(problem)? == Kind::Index {
        let folder = path.parent().unwrap_or(Path::new(""));
        return read_sharded(file, |name| regular_file(&folder.join(name))).map_err(problem);
    }
    read_whole(file).map_err(problem)
}

/// The tensors of a file that holds them itself.
fn read_whole(mut file: impl Source) -> Result<Opened, OpenProblem> {
    match kind(&mut file)? {
        Kind::Safetensors => read_safetensors(file),
        Kind::PyTorch => read_pytorch(file),
        Kind::Index => Err(OpenProblem::Damaged("is an index in the place of tensors".to_owned())),
    }
}

/// A file of the disk: neither a pipe nor a device, which have no length.
fn regular_file(path: &Path) -> Result<BufReader<File>, OpenProblem> {
    // Asked of the path, because to open a pipe is to wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(OpenProblem::Unknown);
    }
    Ok(BufReader::new(File::open(path)?))
}

/// The formats of files.
#[derive(Debug, PartialEq)]
enum Kind {
    Safetensors,
    PyTorch,
    Index,
}

/// Tells a format by the file's first bytes.
fn kind(file: &mut impl Source) -> Result<Kind, OpenProblem> {
    let mut start = Vec::new();
    file.rewind()?;
    file.take(32).read_to_end(&mut start)?;
    file.rewind()?;
    match start.as_slice() {
        [b'P', b'K', 3, 4, ..] => Ok(Kind::PyTorch),
        // A header may be 128 bytes long, and so begin as a pickle does.
        [_, _, _, _, _, _, _, _, b'{', ..] => Ok(Kind::Safetensors),
        [0x80, 0..=5, ..] => Err(OpenProblem::Legacy),
        start if start.starts_with(b"version https://git-lfs") => Err(OpenProblem::Pointer),
        start if start.trim_ascii_start().starts_with(b"{") => Ok(Kind::Index),
        _ => Err(OpenProblem::Unknown),
    }
}
