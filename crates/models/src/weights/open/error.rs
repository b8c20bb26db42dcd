use std::{io, path::PathBuf};

use safetensors::Dtype;

/// Why weights from elsewhere cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct OpenError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: OpenProblem,
}

/// What is wrong with a file of weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenProblem {
    /// The operating system would not.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// None of the formats.
    #[error(
        "holds no weights that can be read: they are a safetensors file, a PyTorch file (the zip format of \
         `torch.save`), or a folder with `model.safetensors`, `model.safetensors.index.json` or `pytorch_model.bin`"
    )]
    Unknown,
    /// What Git checks out in the place of a large file.
    #[error("is a pointer of Git LFS, not the file itself; `git lfs pull` fetches that")]
    Pointer,
    /// PyTorch's format before 1.6, or a pickle without an archive around it.
    #[error(
        "is a pickle without the zip archive that `torch.save` writes since PyTorch 1.6; \
         `torch.save(torch.load(path, weights_only=True), path)` writes it anew in that format"
    )]
    Legacy,
    /// Saved by `torch.jit.save`.
    #[error(
        "is a TorchScript program; `torch.save(torch.jit.load(path).state_dict(), new_path)` writes its tensors alone"
    )]
    Script,
    /// A Crucible network in integers, or with coded weights.
    #[error(
        "is a network that Crucible compressed: its tensors are not those of the network; open the run that it was made \
         from"
    )]
    Compressed,
    /// The bytes contradict themselves or each other.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// Well-formed perhaps, but not what anyone needs to write weights down.
    #[error("is refused: {0}")]
    Refused(String),
    /// A tensor of a type that is neither floats nor left out.
    #[error(
        "tensor `{name}` holds {type_name} values; F32, F16, BF16 and F64 are read, integers and booleans left out"
    )]
    Type {
        /// The tensor's name.
        name: String,
        /// Its type.
        type_name: String,
    },
    /// A number too large for `f32`.
    #[error("tensor `{name}` holds {value:e}, which is more than an f32 can be")]
    Range {
        /// The tensor's name.
        name: String,
        /// The number.
        value: f64,
    },
    /// A pickle that names a function or class of Python's other than those of tensors.
    #[error(
        "its pickle would call `{0}`, and nothing but tensors in plain containers is read: save the state dict alone, \
         `torch.save(model.state_dict(), path)`"
    )]
    Call(String),
    /// More than one dictionary of tensors, and no way to know which is meant.
    #[error("holds several sets of tensors ({}); save the one that is meant by itself", .0.join(", "))]
    Several(Vec<String>),
    /// A file without tensors.
    #[error("holds no tensors by name, neither at the top nor under one key of it")]
    Empty,
}

/// The name of an element type in the words of safetensors.
pub(super) fn refused_type(name: &str, dtype: Dtype) -> OpenProblem {
    OpenProblem::Type { name: name.to_owned(), type_name: format!("{dtype:?}") }
}
