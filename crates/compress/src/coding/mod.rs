//! Sparse weights as bytes: the gaps between weights that are not zero, and which of the shared values each is, both in
//! Huffman's code (S. Han, H. Mao, W. J. Dally: Deep Compression, 2016, sections 2 and 4).
//!
//! | bytes | what |
//! |---|---|
//! | 1 | `k`, the bits of a gap before coding, 1 to 8 |
//! | 2ᵏ⁻¹ | the lengths of the gaps' codes, in half bytes |
//! | 2 | how many shared values there are; 0 where each weight has a value of its own |
//! | 4 each | the shared values |
//! | half of each | the lengths of their codes, in half bytes, where there are any |
//! | the rest | for each weight its gap, and which value, or its 32 bits |
//!
//! A gap of 2ᵏ − 1 is that many zeros and no weight yet. Codes are canonical, so that their lengths tell them. Numbers are
//! little-endian, bits begin at the low end of a byte.

mod bits;
mod huffman;

use crucible_models::weights::HostTensor;

use crate::{Coded, sharing::nearest};
use bits::{BitReader, BitWriter};
use huffman::{Decoder, Encoder};

/// The bytes of a tensor; the same tensor gives the same bytes.
#[must_use]
pub(crate) fn encode(coded: &Coded) -> Vec<u8> {
    let attempts = (1..=8).map(|k| encode_with(coded, k));
    attempts.min_by_key(Vec::len).expect("some lengths of gaps")
}

/// A step of the decoder: a gap, and the value behind it unless the gap is the longest.
type Symbol = (usize, Option<f32>);

fn encode_with(Coded { tensor, codebook }: &Coded, k: u32) -> Vec<u8> {
    let most = (1usize << k) - 1;
    let symbols = symbols(&tensor.values, most);
    let mut counts = vec![0u64; most + 1];
    symbols.iter().for_each(|(gap, _)| counts[*gap] += 1);
    let gaps = Encoder::new(&counts);
    let mut counts = vec![0u64; codebook.len()];
    if !codebook.is_empty() {
        symbols
            .iter()
            .filter_map(|(_, value)| *value)
            .for_each(|value| counts[nearest(codebook, value)] += 1);
    }
    let values = Encoder::new(&counts);

    let mut bytes = vec![k as u8];
    bytes.extend(half_bytes(gaps.lengths()));
    bytes.extend((codebook.len() as u16).to_le_bytes());
    bytes.extend(codebook.iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend(half_bytes(values.lengths()));
    let mut bits = BitWriter::default();
    for (gap, value) in symbols {
        gaps.write(gap, &mut bits);
        match value {
            Some(value) if codebook.is_empty() => bits.write(value.to_bits(), 32),
            Some(value) => values.write(nearest(codebook, value), &mut bits),
            None => {}
        }
    }
    bytes.extend(bits.finish());
    bytes
}

/// The steps to write all values, zeros at the end included.
fn symbols(values: &[f32], most: usize) -> Vec<Symbol> {
    let (mut symbols, mut gap) = (Vec::new(), 0);
    for value in values {
        if *value != 0.0 {
            symbols.push((gap, Some(*value)));
            gap = 0;
            continue;
        }
        gap += 1;
        if gap == most {
            symbols.push((most, None));
            gap = 0;
        }
    }
    if gap > 0 {
        symbols.push((most, None));
    }
    symbols
}

/// The tensor of these bytes, in this shape.
///
/// # Errors
///
/// Where the bytes are none of such a tensor. Nothing is allocated that they could not fill.
pub(crate) fn decode(bytes: &[u8], shape: &[usize]) -> Result<Coded, &'static str> {
    const SHORT: &str = "it ends too early";
    let count =
        shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side)).ok_or("it is too large")?;
    let (k, rest) = bytes.split_first().ok_or(SHORT)?;
    if !(1..=8).contains(k) {
        return Err("its gaps have neither 1 nor up to 8 bits");
    }
    let most = (1usize << k) - 1;
    let (lengths, rest) = split_halves(rest, most + 1).ok_or(SHORT)?;
    let gaps = Decoder::new(&lengths)?;
    let (size, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
    let size = usize::from(u16::from_le_bytes(*size));
    let (quads, rest) = rest.split_at_checked(4 * size).ok_or(SHORT)?;
    let codebook: Vec<f32> = quads.as_chunks::<4>().0.iter().map(|quad| f32::from_le_bytes(*quad)).collect();
    let ascends = codebook.is_sorted_by(|a, b| a < b) && codebook.iter().all(|value| value.is_finite());
    if size > 256 || !ascends || codebook.contains(&0.0) {
        return Err("its shared values are not up to 256 different numbers, ascending");
    }
    let (lengths, rest) = split_halves(rest, size).ok_or(SHORT)?;
    let shared = Decoder::new(&lengths)?;
    // A step takes a bit at least, and stands for a weight and as many zeros as the longest gap at most.
    if count.div_ceil(most + 1) > rest.len().saturating_mul(8) {
        return Err("its shape holds more than its bytes");
    }
    let mut values = Vec::with_capacity(count);
    let mut bits = BitReader::new(rest);
    while values.len() < count {
        let gap = gaps.read(&mut bits)?;
        // The zeros at the end are written as one longest gap, of which the shape leaves less.
        values.resize((values.len() + gap).min(count), 0.0);
        if gap == most {
            continue;
        }
        if values.len() == count {
            return Err("its weights reach beyond its shape");
        }
        values.push(match codebook.is_empty() {
            true => f32::from_bits(bits.read(32).ok_or(SHORT)?),
            false => codebook[shared.read(&mut bits)?],
        });
    }
    Ok(Coded { tensor: HostTensor { shape: shape.to_vec(), values }, codebook })
}

fn half_bytes(lengths: &[u8]) -> impl Iterator<Item = u8> + '_ {
    lengths.chunks(2).map(|pair| pair[0] | pair.get(1).map_or(0, |second| second << 4))
}

fn split_halves(bytes: &[u8], count: usize) -> Option<(Vec<u8>, &[u8])> {
    let (halves, rest) = bytes.split_at_checked(count.div_ceil(2))?;
    let lengths = halves.iter().flat_map(|byte| [byte & 0x0f, byte >> 4]).take(count).collect();
    Some((lengths, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sharing::share;
    use proptest::prelude::*;

    fn sparse(count: usize, every: usize, seed: usize) -> HostTensor {
        let value = |i: usize| ((i * 37 + seed) % 101) as f32 / 50.0 - 1.01;
        let scattered = |i: usize| (i.wrapping_mul(2_654_435_761) >> 9).wrapping_add(seed);
        let values = (0..count).map(|i| if scattered(i).is_multiple_of(every) { value(i) } else { 0.0 });
        HostTensor { shape: vec![count], values: values.collect() }
    }

    proptest! {
        #[test]
        fn what_is_coded_is_decoded(count in 0usize..900, every in 1usize..400, seed in 0usize..99, bits in 0u8..=8) {
            let tensor = sparse(count, every, seed);
            let (tensor, codebook) = if bits == 0 { (tensor, Vec::new()) } else { share(&tensor, bits) };
            let coded = Coded { tensor, codebook };
            for k in 1..=8 {
                prop_assert_eq!(&decode(&encode_with(&coded, k), &coded.tensor.shape).unwrap(), &coded);
            }
            prop_assert_eq!(encode(&coded), encode(&coded));
        }

        #[test]
        fn no_bytes_make_it_panic_or_grow(bytes in proptest::collection::vec(any::<u8>(), 0..200), count: usize) {
            if let Ok(coded) = decode(&bytes, &[count]) {
                prop_assert!(coded.tensor.values.len() == count && count <= bytes.len() * 8 * 256);
            }
        }

        #[test]
        fn damage_is_an_error_or_another_tensor(place in 0usize..300, value: u8, cut in 0usize..300) {
            let (tensor, codebook) = share(&sparse(600, 3, 1), 4);
            let mut bytes = encode(&Coded { tensor, codebook });
            let place = place % bytes.len();
            bytes[place] = value;
            let _ = decode(&bytes, &[600]);
            bytes.truncate(cut);
            let _ = decode(&bytes, &[600]);
        }
    }

    #[test]
    fn a_twentieth_of_the_weights_takes_little() {
        let (tensor, codebook) = share(&sparse(100_000, 20, 1), 4);
        let weights = tensor.values.iter().filter(|value| **value != 0.0).count();
        let bytes = encode(&Coded { tensor, codebook }).len();
        assert!(bytes * 8 < 10 * weights, "{bytes} bytes for {weights} weights");
    }

    #[test]
    fn a_shape_beyond_the_bytes_is_refused() {
        let zeros = Coded { tensor: sparse(100, 1000, 3), codebook: Vec::new() };
        let bytes = encode(&zeros);
        assert!(decode(&bytes, &[1 << 40]).is_err() && decode(&bytes, &[1 << 40, 1 << 40]).is_err());
    }
}
