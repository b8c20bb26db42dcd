//! Files and built-in bytes, read with a size cap and, where gzipped, decompressed on the way.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::{ByteProblem, DataError};

/// Most bytes of one file, compressed or not: 8 GiB.
const MAX_FILE: u64 = 8 << 30;
/// No deflate stream expands further than this.
const MAX_EXPANSION: u64 = 1032;

/// The whole of one file, not yet decompressed.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let failed = |cause| DataError::Io { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(at(path, MAX_FILE, ByteProblem::FileTooLarge { limit: MAX_FILE }));
    }
    Ok(bytes)
}

/// A [`DataError`] about one byte of one file.
pub(crate) fn at(path: &Path, offset: u64, problem: ByteProblem) -> DataError {
    DataError::Bytes { path: path.to_owned(), offset, problem }
}

/// Whether the bytes are gzipped.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Bytes in order, decompressed if they are gzipped. Both checksum and length in a gzip trailer are verified.
pub(crate) struct Stream<'a> {
    path: PathBuf,
    content: Content<'a>,
    /// How many decompressed bytes there can be at most, from the size of the compressed ones.
    bound: u64,
    offset: u64,
}

enum Content<'a> {
    Plain(&'a [u8]),
    Gzip(Box<MultiGzDecoder<&'a [u8]>>),
}

impl<'a> Stream<'a> {
    /// A stream over `bytes`, which errors call `path`.
    pub(crate) fn new(path: &Path, bytes: &'a [u8]) -> Self {
        let len = bytes.len() as u64;
        let (content, bound) = if is_gzip(bytes) {
            (Content::Gzip(Box::new(MultiGzDecoder::new(bytes))), len.saturating_mul(MAX_EXPANSION))
        } else {
            (Content::Plain(bytes), len)
        };
        Self { path: path.to_owned(), content, bound, offset: 0 }
    }

    /// A [`DataError`] about the byte at `offset`.
    pub(crate) fn problem(&self, offset: u64, problem: ByteProblem) -> DataError {
        at(&self.path, offset, problem)
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: u64) -> Result<Vec<u8>, DataError> {
        let bytes = self.up_to(count)?;
        let missing = count - bytes.len() as u64;
        if missing > 0 {
            return Err(self.problem(self.offset, ByteProblem::Truncated { missing }));
        }
        Ok(bytes)
    }

    /// The next bytes, `count` of them or as many as are left.
    fn up_to(&mut self, count: u64) -> Result<Vec<u8>, DataError> {
        let expected = count.min(self.bound.saturating_sub(self.offset));
        let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
        let outcome = match &mut self.content {
            Content::Plain(rest) => rest.take(count).read_to_end(&mut bytes),
            Content::Gzip(decoder) => decoder.take(count).read_to_end(&mut bytes),
        };
        self.offset += bytes.len() as u64;
        outcome.map_err(|cause| self.problem(self.offset, ByteProblem::Gzip(cause.to_string())))?;
        Ok(bytes)
    }

    /// The first `count` bytes, or as many as there are.
    pub(crate) fn head(mut self, count: u64) -> Result<Vec<u8>, DataError> {
        self.up_to(count)
    }

    /// Makes sure that nothing follows.
    pub(crate) fn end(&mut self) -> Result<(), DataError> {
        let offset = self.offset;
        if self.up_to(1)?.is_empty() { Ok(()) } else { Err(self.problem(offset, ByteProblem::Trailing)) }
    }

    /// All that is left, if it is no more than `limit` bytes.
    pub(crate) fn rest(&mut self, limit: u64) -> Result<Vec<u8>, DataError> {
        let bytes = self.up_to(limit.saturating_add(1))?;
        if bytes.len() as u64 > limit {
            return Err(self.problem(limit, ByteProblem::FileTooLarge { limit }));
        }
        Ok(bytes)
    }
}
