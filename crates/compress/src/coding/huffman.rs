//! Huffman's code in its canonical form: known by the lengths of its words, of at most 15 bits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::bits::{BitReader, BitWriter};

/// The longest word, so that a length fits half a byte.
const LONGEST: usize = 15;

/// From symbols to words.
#[derive(Debug)]
pub(super) struct Encoder {
    lengths: Vec<u8>,
    words: Vec<u32>,
}

impl Encoder {
    /// The code of symbols that occur so often; those that never do have no word. A single one has a word of one bit.
    pub(super) fn new(counts: &[u64]) -> Self {
        let mut counts = counts.to_vec();
        let lengths = loop {
            let lengths = lengths(&counts);
            if lengths.iter().all(|length| usize::from(*length) <= LONGEST) {
                break lengths;
            }
            // Rarer symbols come nearer to the others, until no word is too long.
            counts.iter_mut().filter(|count| **count > 0).for_each(|count| *count = *count / 2 + 1);
        };
        let words = words(&lengths);
        Self { lengths, words }
    }

    /// The length of each symbol's word, 0 for none.
    pub(super) fn lengths(&self) -> &[u8] {
        &self.lengths
    }

    pub(super) fn write(&self, symbol: usize, bits: &mut BitWriter) {
        let (length, word) = (u32::from(self.lengths[symbol]), self.words[symbol]);
        // From the root of the tree on.
        (0..length).rev().for_each(|place| bits.write(word >> place & 1, 1));
    }
}

/// The depth of each symbol in Huffman's tree.
fn lengths(counts: &[u64]) -> Vec<u8> {
    let mut heap: BinaryHeap<_> = (0..)
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .map(|(symbol, count)| Reverse((*count, symbol)))
        .collect();
    let mut lengths = vec![0u8; counts.len()];
    if heap.len() == 1 {
        let Reverse((_, symbol)) = heap.pop().expect("one");
        lengths[symbol] = 1;
        return lengths;
    }
    // Leaves are symbols, and what is numbered beyond them joins two.
    let mut parents = vec![usize::MAX; counts.len()];
    while let (Some(Reverse((a, left))), Some(Reverse((b, right)))) = (heap.pop(), heap.pop()) {
        let parent = parents.len();
        (parents[left], parents[right]) = (parent, parent);
        parents.push(usize::MAX);
        heap.push(Reverse((a + b, parent)));
        if heap.len() == 1 {
            break;
        }
    }
    for (symbol, length) in lengths.iter_mut().enumerate() {
        let path =
            std::iter::successors(Some(symbol), |at| Some(parents[*at]).filter(|next| *next != usize::MAX));
        *length = (path.count() - 1) as u8;
    }
    lengths
}

/// The canonical words: ascending by length, then by symbol.
fn words(lengths: &[u8]) -> Vec<u32> {
    let mut next = firsts(&counted(lengths));
    let word = |length: &u8| {
        let next = &mut next[usize::from(*length)];
        *next += u32::from(*length > 0);
        next.saturating_sub(1)
    };
    lengths.iter().map(word).collect()
}

/// How many words there are of each length.
fn counted(lengths: &[u8]) -> [u32; LONGEST + 1] {
    let mut counts = [0; LONGEST + 1];
    lengths.iter().filter(|length| **length > 0).for_each(|length| counts[usize::from(*length)] += 1);
    counts
}

/// The first word of each length.
fn firsts(counts: &[u32; LONGEST + 1]) -> [u32; LONGEST + 1] {
    let mut firsts = [0; LONGEST + 1];
    for length in 1..=LONGEST {
        firsts[length] = (firsts[length - 1] + counts[length - 1]) << 1;
    }
    firsts
}

/// From words to symbols.
#[derive(Debug)]
pub(super) struct Decoder {
    counts: [u32; LONGEST + 1],
    /// By length of the word, then by symbol.
    symbols: Vec<usize>,
}

impl Decoder {
    /// The code whose words have these lengths, each at most 15.
    pub(super) fn new(lengths: &[u8]) -> Result<Self, &'static str> {
        let counts = counted(lengths);
        let used: u32 = (1..=LONGEST).map(|length| counts[length] << (LONGEST - length)).sum();
        if used > 1 << LONGEST {
            return Err("its code has more words than there are");
        }
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        Ok(Self { counts, symbols })
    }

    pub(super) fn read(&self, bits: &mut BitReader<'_>) -> Result<usize, &'static str> {
        let (mut word, mut first, mut index) = (0u32, 0u32, 0u32);
        for count in &self.counts[1..] {
            word |= bits.bit().ok_or("it ends too early")?;
            if let Some(place) = word.checked_sub(first).filter(|place| place < count) {
                return Ok(self.symbols[(index + place) as usize]);
            }
            index += count;
            first = (first + count) << 1;
            word <<= 1;
        }
        Err("it holds what is no word of its code")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_symbols_have_short_words_and_all_are_read_again() {
        let fibonacci = |n: usize| (0..n).fold((1u64, 1u64), |(a, b), _| (b, a + b)).0;
        let steep: Vec<u64> = (0..40).map(fibonacci).collect();
        for counts in [vec![5, 0, 1, 1, 9], vec![0, 3], vec![1, 1], steep] {
            let code = Encoder::new(&counts);
            assert!(code.lengths().iter().all(|length| usize::from(*length) <= LONGEST));
            let used: Vec<usize> = (0..counts.len()).filter(|symbol| counts[*symbol] > 0).collect();
            let mut bits = BitWriter::default();
            used.iter().for_each(|symbol| code.write(*symbol, &mut bits));
            let (bytes, decoder) = (bits.finish(), Decoder::new(code.lengths()).unwrap());
            let mut bits = BitReader::new(&bytes);
            assert!(used.iter().all(|symbol| decoder.read(&mut bits) == Ok(*symbol)), "{counts:?}");
        }
        assert_eq!(Encoder::new(&[5, 0, 1, 1, 9]).lengths(), [2, 0, 3, 3, 1]);
    }

    #[test]
    fn too_many_words_are_refused() {
        assert!(Decoder::new(&[1, 1, 1]).is_err());
        assert!(Decoder::new(&[1]).unwrap().read(&mut BitReader::new(&[0xff])).is_err());
    }
}
