//! The IDX format of MNIST: a magic number, big-endian dimensions, then the values.
//!
//! Format: <http://yann.lecun.com/exdb/mnist/>, "The IDX file format". Only unsigned bytes (type `0x08`) are read, the
//! only type that picture data sets use. Files may be gzipped; then the checksum in the gzip trailer is verified.

use std::path::Path;

use crate::file::Stream;
use crate::{ByteProblem, DataError};

/// Most values in one file: 4 Gi.
pub const MAX_VALUES: u64 = 1 << 32;

/// An array of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// Size of each dimension, the slowest first.
    pub dimensions: Vec<usize>,
    /// The values; as many as the product of the dimensions.
    pub values: Vec<u8>,
}

/// Reads the array of `rank` dimensions in `bytes` (gzipped or not); errors call the file `path`.
///
/// # Errors
///
/// If the magic number or the number of dimensions is another, if a dimension after the first is zero, if the
/// dimensions exceed [`MAX_VALUES`] values or `u32::MAX` items, or if the file is shorter or longer than they say.
pub fn read(path: &Path, bytes: &[u8], rank: usize) -> Result<Idx, DataError> {
    let mut stream = Stream::new(path, bytes);
    let magic = stream.take(4)?;
    let magic = [magic[0], magic[1], magic[2], magic[3]];
    if magic[..2] != [0, 0] {
        return Err(stream.problem(0, ByteProblem::Magic(magic)));
    }
    if magic[2] != 0x08 {
        return Err(stream.problem(2, ByteProblem::ElementType(magic[2])));
    }
    if usize::from(magic[3]) != rank {
        let problem = ByteProblem::Rank { expected: rank, actual: usize::from(magic[3]) };
        return Err(stream.problem(3, problem));
    }
    let header = stream.take(4 * rank as u64)?;
    let dimensions: Vec<u32> =
        header.chunks_exact(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]])).collect();
    if dimensions.iter().skip(1).any(|&size| size == 0) {
        return Err(stream.problem(4, ByteProblem::Empty(dimensions)));
    }
    let count = dimensions.iter().try_fold(1u64, |count, &size| count.checked_mul(u64::from(size)));
    let Some(count) = count.filter(|&count| count <= MAX_VALUES) else {
        return Err(stream.problem(4, ByteProblem::TooLarge { dimensions, limit: MAX_VALUES }));
    };
    let values = stream.take(count)?;
    stream.end()?;
    Ok(Idx { dimensions: dimensions.into_iter().map(|size| size as usize).collect(), values })
}

/// The bytes of an IDX file (not gzipped) that [`read`] reads back.
///
/// # Panics
///
/// If there are more than 255 dimensions, or not as many values as the dimensions say.
#[must_use]
pub fn write(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    assert!(dimensions.len() <= 255, "{} dimensions are too many", dimensions.len());
    let count: u64 = dimensions.iter().map(|&size| u64::from(size)).product();
    assert_eq!(values.len() as u64, count, "values for {dimensions:?}");
    let mut bytes = vec![0, 0, 0x08, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend_from_slice(values);
    bytes
}
