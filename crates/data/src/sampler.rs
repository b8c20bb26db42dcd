//! Which examples each step sees, drawn from seeded streams.

use rand::RngExt;
use rand::seq::SliceRandom;

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
/// be empty; its size varies from step to step. A `rate` of 0 or less gives none, of 1 or more gives all.
///
/// # Panics
///
/// If `len` does not fit in 32 bits, or `rate` is not a number.
#[must_use]
pub fn poisson_batch(seed: u64, step: u64, len: usize, rate: f64) -> Vec<u32> {
    assert!(!rate.is_nan(), "the sampling rate is not a number");
    let len = u32::try_from(len).expect("examples are counted in 32 bits");
    let mut rng = seed::stream(seed, "poisson", step);
    (0..len).filter(|_| rng.random::<f64>() < rate).collect()
}
