//! What a source hands over: examples as they lie in its files, before splitting and scaling.

use crate::learn::OwnSplits;
use crate::source::Csv;
use crate::table::Table;
use crate::tokenizer::Tokenizer;

/// Everything that a source has.
pub(crate) struct Raw {
    /// The name that reports use.
    pub(crate) name: String,
    pub(crate) content: RawContent,
}

pub(crate) enum RawContent {
    Pictures(RawPictures),
    Table(RawTable),
    /// With a tokenizer, which is large.
    Texts(Box<RawTexts>),
}

/// Pictures of one size with a class each.
pub(crate) struct RawPictures {
    /// Channels, height, width.
    pub(crate) shape: [usize; 3],
    pub(crate) classes: Vec<String>,
    pub(crate) train: PicturePart,
    /// The source's own test split, if it has one.
    pub(crate) test: Option<PicturePart>,
}

/// Pixels (`[examples, channels, height, width]`) and, for each example, a class below the number of classes.
pub(crate) struct PicturePart {
    pub(crate) values: Vec<u8>,
    pub(crate) labels: Vec<u32>,
}

/// A table, and what its columns are for.
pub(crate) struct RawTable {
    pub(crate) table: Table,
    /// Which column is the target, and so on; the path has already been read.
    pub(crate) settings: Csv,
}

/// Texts with a class each.
pub(crate) struct RawTexts {
    /// The column that they stood in.
    pub(crate) column: String,
    pub(crate) texts: Vec<String>,
    pub(crate) classes: Vec<String>,
    /// A class below the number of classes for each text.
    pub(crate) labels: Vec<u32>,
    /// Texts by the source's own splits.
    pub(crate) own: OwnSplits,
    pub(crate) tokenizer: Tokenizer,
    /// Tokens that texts are cut to.
    pub(crate) max_tokens: usize,
}
