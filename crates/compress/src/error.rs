use safetensors::SafeTensorError;

/// Why a file is no compressed network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Not a safetensors file, or a damaged one.
    #[error("not a whole safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// Weights that were never compressed.
    #[error("it holds plain weights, not compressed ones")]
    Plain,
    /// What should say how to read it cannot be read.
    #[error("its metadata cannot be read: {0}")]
    Header(String),
    /// A later version's.
    #[error("its version is {version}, and this program reads {reads}")]
    Version {
        /// The file's.
        version: u32,
        /// This program's.
        reads: u32,
    },
    /// A tensor is not what the metadata say.
    #[error("tensor `{name}`: {problem}")]
    Tensor {
        /// Which.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl ArchiveError {
    pub(crate) fn tensor(name: &str, problem: &str) -> Self {
        Self::Tensor { name: name.to_owned(), problem: problem.to_owned() }
    }
}

/// Why a network cannot be compressed, or an archive's network not be run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// There are no inputs to see activations on.
    #[error("calibration has no examples; it takes at least one, and some hundreds to be good")]
    NoExamples,
    /// Something is not a number.
    #[error("{what} is not finite; a network must be sound before it is compressed")]
    NotFinite {
        /// A parameter's name, or "an activation".
        what: String,
    },
    /// Layers that have no integer arithmetic.
    #[error("{}", unsupported(.0))]
    Unsupported(Vec<(String, &'static str)>),
    /// A layer that is to stay as it is does not exist.
    #[error("there is no layer `{name}` to keep; there are: {}", layers.join(", "))]
    NoLayer {
        /// The name given.
        name: String,
        /// Layers with weights.
        layers: Vec<String>,
    },
    /// Integers of so many bits do not exist here.
    #[error("weights have 4 or 8 bits, not {0}")]
    Bits(u8),
    /// A group of no weights.
    #[error("a group holds at least 2 weights, not {0}")]
    Group(usize),
    /// No share of the weights, or all of them.
    #[error("the share to prune lies between 0 and 1, such as 0.9, not at {0}")]
    Share(f64),
    /// A share that 2:4 does not leave.
    #[error("2:4 leaves two of four weights, a share of 0.5 pruned, not {0}")]
    TwoFourShare(f64),
    /// An architecture whose layers cannot be made narrower.
    #[error("no channels can be removed: {0}; without --structured weights can")]
    FixedWidths(&'static str),
    /// A range that holds so few of the values, or more than all.
    #[error("`percent` is {0}, and must be from 50 to 100")]
    Percent(f64),
    /// A file that cannot be so short.
    #[error("the file can have {least} bytes at the least with these integers, not {bytes}")]
    TooLong {
        /// Bytes that were allowed.
        bytes: usize,
        /// Bytes of the shortest.
        least: usize,
    },
    /// Learned steps of another network.
    #[error("the learned steps are not this network's: {problem}")]
    Steps {
        /// What is wrong.
        problem: String,
    },
    /// The forward pass is no graph.
    #[error(transparent)]
    Untapped(#[from] crucible_models::Untapped),
    /// The archive lacks what its arithmetic needs.
    #[error("the compressed network lacks {what}")]
    Lacks {
        /// What.
        what: String,
    },
}

fn unsupported(layers: &[(String, &'static str)]) -> String {
    let named: Vec<String> = layers.iter().map(|(name, why)| format!("{name} {why}")).collect();
    let names: Vec<&str> = layers.iter().map(|(name, _)| name.as_str()).collect();
    format!(
        "these layers have no integer arithmetic: {}; keep them in floats by naming them: {}",
        named.join(", "),
        names.join(", ")
    )
}
