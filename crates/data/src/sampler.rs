//! Which examples each step sees, drawn from seeded streams.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::seed;

/// All of `0..len` in the order of one epoch: a Fisher-Yates shuffle that depends only on the three arguments.
///
/// # Panics
///
/// If `len` does not fit in 32 bits.
#[must_use]
pub fn epoch_order(seed: u64, epoch: u64, len: usize) -> Vec<u32> {
    let len = u32::try_from(len).expect("examples are counted in 32 bits");
    let mut order: Vec<u32> = (0..len).collect();
    order.shuffle(&mut seed::stream(seed, "shuffle", epoch));
    order
}

/// All of `0..lengths.len()` in the order of one epoch, in which the examples of a batch are of like length: the shuffled order
/// in runs of some 50 batches, each sorted by length, the longest first, and then all whole batches in a random order. It
/// depends only on the arguments.
///
/// After `group_by_length` of Hugging Face's `transformers`, whose runs are as long, but whose batches stay in their places.
///
/// # Panics
///
/// If `batch` is 0, or there are more examples than 32 bits count.
#[must_use]
pub fn epoch_order_by_length(seed: u64, epoch: u64, lengths: &[u32], batch: usize) -> Vec<u32> {
    /// Batches that are sorted at a time; of few examples fewer, so that batches are not the same in every epoch.
    const RUN: usize = 50;
    let mut order = epoch_order(seed, epoch, lengths.len());
    let run = batch * (lengths.len() / (batch * 4)).clamp(1, RUN);
    for part in order.chunks_mut(run) {
        part.sort_by_key(|&index| std::cmp::Reverse(lengths[index as usize]));
    }
    let (whole, rest) = order.split_at(order.len() - order.len() % batch);
    let mut batches: Vec<&[u32]> = whole.chunks_exact(batch).collect();
    batches.shuffle(&mut seed::stream(seed, "batches", epoch));
    batches.push(rest);
    batches.concat()
}

/// Texts as batches that little of is padding, the longest first, so that memory does not grow; other examples in their order.
/// At most `most` examples in a batch, and of texts at most 32.
#[must_use]
pub fn by_length(lengths: Option<&[u32]>, count: usize, most: usize) -> Vec<Vec<u32>> {
    /// More texts at a time are no faster, and take more memory.
    const TEXTS: usize = 32;
    let mut order: Vec<u32> = (0..count as u32).collect();
    let most = lengths.map_or(most, |lengths| {
        order.sort_by_key(|&index| std::cmp::Reverse(lengths[index as usize]));
        most.min(TEXTS)
    });
    order.chunks(most.max(1)).map(<[u32]>::to_vec).collect()
}

/// A Poisson sample of `0..len`, rising: each index is in it with probability `rate`, independently of all others.
///
/// This is the sampling that the privacy accounting of DP-SGD assumes (Abadi et al. 2016, section 3.1). The sample may
/// be empty; its size varies from draw to draw. A `rate` of 0 or less gives none, of 1 or more gives all. It costs a draw
/// for each index in it, not for each of `0..len`: the gaps between them are geometric.
///
/// # Panics
///
/// If `len` does not fit in 32 bits, or `rate` is not a number.
#[must_use]
pub fn poisson_batch(rng: &mut impl Rng, len: usize, rate: f64) -> Vec<u32> {
    assert!(!rate.is_nan(), "the sampling rate is not a number");
    let len = u32::try_from(len).expect("examples are counted in 32 bits");
    if rate >= 1.0 {
        return (0..len).collect();
    }
    let mut batch = Vec::new();
    if rate <= 0.0 {
        return batch;
    }
    let logarithm = (-rate).ln_1p();
    let mut next = 0.0;
    loop {
        // P(gap ≥ k) = (1 − rate)ᵏ; the draw lies above 0 and is at most 1.
        next += ((1.0 - rng.random::<f64>()).ln() / logarithm).floor();
        if next >= f64::from(len) {
            return batch;
        }
        batch.push(next as u32);
        next += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_of_like_length_and_new_in_each_epoch() {
        let lengths: Vec<u32> = (0..1003u64).map(|i| (i * 7919 % 97) as u32).collect();
        let order = |epoch| epoch_order_by_length(1, epoch, &lengths, 8);
        let mut sorted = order(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1003).collect::<Vec<u32>>(), "each once");
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let padding = |order: &[u32]| -> u32 {
            let batch = |batch: &[u32]| {
                let all = batch.iter().map(|&index| lengths[index as usize]);
                all.clone().max().unwrap_or(0) * batch.len() as u32 - all.sum::<u32>()
            };
            order.chunks(8).map(batch).sum()
        };
        assert!(padding(&order(1)) * 10 < padding(&epoch_order(1, 1, 1003)), "{}", padding(&order(1)));
        // Lengths neither rise nor fall over an epoch.
        let firsts: Vec<u32> = order(1).chunks(8).map(|batch| lengths[batch[0] as usize]).collect();
        assert!(firsts.windows(2).filter(|pair| pair[0] < pair[1]).count() > firsts.len() / 3);
    }

    #[test]
    fn few_examples_or_none_are_no_trouble() {
        assert!(epoch_order_by_length(1, 1, &[], 8).is_empty());
        for count in 1..40u32 {
            let mut order = epoch_order_by_length(3, 2, &vec![5; count as usize], 8);
            order.sort_unstable();
            assert_eq!(order, (0..count).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn measured_batches_hold_each_text_once_and_other_examples_in_order() {
        assert_eq!(by_length(Some(&[3, 9, 1, 9]), 4, 2), [vec![1, 3], vec![0, 2]]);
        assert_eq!(by_length(None, 5, 3), [vec![0, 1, 2], vec![3, 4]]);
        assert_eq!(by_length(Some(&[1; 40]), 40, 500).len(), 2);
        assert!(by_length(None, 0, 3).is_empty());
    }
}
