//! Equal inputs, found by hashing and then compared value by value.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use crate::{Examples, Inputs, Targets};

/// How many pairs of examples are named per finding.
const NAMED_PAIRS: usize = 10;

/// Examples of one split whose input is equal, value by value, to one of another split, or of the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overlap {
    /// The split that holds the original.
    pub first: String,
    /// The split that holds the repetition.
    pub second: String,
    /// How many examples of `second` repeat an example of `first` (an earlier one, if the splits are the same).
    pub examples: usize,
    /// How many of those have another target than the earliest example that they repeat.
    pub conflicting: usize,
    /// The first ten of them: index in `first`, index in `second`.
    pub pairs: Vec<(u32, u32)>,
}

/// The inputs of one split by their hashes.
pub(crate) struct Index<'a> {
    name: &'a str,
    examples: &'a Examples,
    /// Hash and example, sorted.
    hashes: Vec<(u64, u32)>,
}

/// One input, comparable by its exact values.
#[derive(PartialEq, Hash)]
enum Row<'a> {
    Bytes(&'a [u8]),
    Bits(Vec<u32>),
}

impl<'a> Index<'a> {
    /// Hashes all inputs of the split called `name`.
    pub(crate) fn new(name: &'a str, examples: &'a Examples) -> Self {
        let hash = |index: u32| {
            // Keys are fixed, so that the same data give the same report.
            let mut hasher = DefaultHasher::new();
            row(examples, index).hash(&mut hasher);
            (hasher.finish(), index)
        };
        let mut hashes: Vec<(u64, u32)> = (0..examples.len() as u32).map(hash).collect();
        hashes.sort_unstable();
        Self { name, examples, hashes }
    }

    /// Which examples of `second` repeat one of this split; with itself, which repeat an earlier one.
    pub(crate) fn overlap(&self, second: &Index<'_>) -> Overlap {
        let same = std::ptr::eq(self.examples, second.examples);
        let mut pairs: Vec<(u32, u32)> = second
            .hashes
            .iter()
            .filter_map(|&(hash, index)| {
                let original = self.earliest(hash, &row(second.examples, index))?;
                (!same || original < index).then_some((original, index))
            })
            .collect();
        pairs.sort_unstable_by_key(|&(_, repetition)| repetition);
        let conflicts = |&&(a, b): &&(u32, u32)| target(self.examples, a) != target(second.examples, b);
        let (examples, conflicting) = (pairs.len(), pairs.iter().filter(conflicts).count());
        pairs.truncate(NAMED_PAIRS);
        Overlap { first: self.name.to_owned(), second: second.name.to_owned(), examples, conflicting, pairs }
    }

    fn earliest(&self, hash: u64, wanted: &Row<'_>) -> Option<u32> {
        let start = self.hashes.partition_point(|&(other, _)| other < hash);
        let alike = self.hashes[start..].iter().take_while(|&&(other, _)| other == hash);
        alike.map(|&(_, index)| index).find(|&index| row(self.examples, index) == *wanted)
    }
}

fn row(examples: &Examples, index: u32) -> Row<'_> {
    let len = examples.input_len();
    let range = index as usize * len..(index as usize + 1) * len;
    match examples.inputs() {
        Inputs::Bytes { values, .. } => Row::Bytes(&values[range]),
        Inputs::Floats(values) => Row::Bits(values[range].iter().map(|value| value.to_bits()).collect()),
    }
}

fn target(examples: &Examples, index: u32) -> Vec<u32> {
    match examples.targets() {
        Targets::Classes(classes) => vec![classes[index as usize]],
        Targets::Values { .. } => examples.gather_values(&[index]).into_iter().map(f32::to_bits).collect(),
    }
}
