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
