//! Texts to the numbers of tokens, by a `tokenizer.json` of Hugging Face's.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokenizers::{PostProcessor, Tokenizer as Inner, TruncationParams};

use crate::{DataError, file};

/// What stands where a text has ended.
pub const PADDING: f32 = -1.0;
/// Texts that are taken apart at a time: what the library keeps of each is far larger than its numbers.
const CHUNK: usize = 1024;

/// A tokenizer that cuts texts to a number of tokens.
pub struct Tokenizer {
    inner: Inner,
    path: PathBuf,
    digest: String,
}

/// Texts as the numbers of their tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Of each text, those that mark its ends included.
    pub texts: Vec<Vec<u32>>,
    /// How many texts were cut.
    pub cut: usize,
    /// Whether each was.
    pub is_cut: Vec<bool>,
}

impl Tokenizer {
    /// The name of the file in a folder of Hugging Face's.
    pub const FILE: &str = "tokenizer.json";

    /// Reads a `tokenizer.json`, or that of a folder. Texts will be cut to `max_tokens` tokens, those included that mark their ends; what the
    /// file says of cutting and padding is for other uses.
    ///
    /// # Errors
    ///
    /// Where the file is missing or damaged, or so few tokens have no room for a text.
    pub fn open(path: &Path, max_tokens: usize) -> Result<Self, DataError> {
        let path = &if path.is_dir() { path.join(Self::FILE) } else { path.to_owned() };
        let fail = |problem: String| DataError::Tokenizer { path: path.clone(), problem };
        let bytes = file::read(path)?;
        let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut inner = Inner::from_bytes(bytes).map_err(|error| fail(error.to_string()))?;
        let ends = inner.get_post_processor().map_or(0, |ends| ends.added_tokens(false));
        if max_tokens <= ends {
            let problem = format!("{max_tokens} tokens have no room for a text; its ends are {ends}");
            return Err(fail(problem));
        }
        inner.with_padding(None);
        let params = TruncationParams { max_length: max_tokens, ..TruncationParams::default() };
        inner.with_truncation(Some(params)).map_err(|error| fail(error.to_string()))?;
        Ok(Self { inner, path: path.clone(), digest })
    }

    /// The file itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of the file, hexadecimal: tokenizers of one digest make the same numbers.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How many numbers there are: every token's is below.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |last| last as usize + 1)
    }

    /// The numbers of the texts' tokens.
    ///
    /// # Errors
    ///
    /// Where a text holds what the tokenizer has no token for.
    pub fn encode(&self, texts: &[impl AsRef<str>]) -> Result<Tokens, DataError> {
        let mut all = Tokens { texts: Vec::with_capacity(texts.len()), cut: 0, is_cut: Vec::new() };
        for part in texts.chunks(CHUNK) {
            let part = part.iter().map(AsRef::as_ref).collect::<Vec<&str>>();
            let encoded = self.inner.encode_batch_fast(part, true).map_err(|error| DataError::Tokenizer {
                path: self.path.clone(),
                problem: error.to_string(),
            })?;
            let cut = encoded.iter().map(|text| !text.get_overflowing().is_empty());
            all.cut += cut.clone().filter(|cut| *cut).count();
            all.is_cut.extend(cut);
            all.texts.extend(encoded.iter().map(|text| text.get_ids().to_vec()));
        }
        Ok(all)
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Texts as rows of one width, `[texts, width]`: the numbers of their tokens, then [`PADDING`]. Numbers are exact: no
/// vocabulary reaches 2²⁴.
///
/// # Panics
///
/// If a text is longer.
#[must_use]
pub fn padded<'a>(texts: impl IntoIterator<Item = &'a [u32]>, width: usize) -> Vec<f32> {
    let mut rows = Vec::new();
    for text in texts {
        assert!(text.len() <= width, "{} tokens in a row of {width}", text.len());
        rows.extend(text.iter().map(|&token| token as f32));
        rows.resize(rows.len() + width - text.len(), PADDING);
    }
    rows
}

/// How many tokens stand in a row of [`padded`], before its padding.
#[must_use]
pub fn length(row: &[f32]) -> usize {
    row.iter().rposition(|&token| token != PADDING).map_or(0, |last| last + 1)
}
