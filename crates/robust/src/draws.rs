//! Random numbers that belong to an example, not to the order in which examples are attacked.

use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// A generator for each example and purpose, all from one seed.
///
/// What is drawn for an example depends neither on which others still stand nor on how many steps were made before, so
/// that more steps never begin a restart elsewhere.
pub(crate) struct Draws {
    seed: [u8; 32],
}

impl Draws {
    /// Takes one seed from `rng`.
    pub(crate) fn new(rng: &mut ChaCha8Rng) -> Self {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self { seed }
    }

    /// The generator of example `index` in round `round`.
    pub(crate) fn of(&self, index: usize, round: u32) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.seed);
        rng.set_stream(u64::from(round) << 32 | index as u64);
        rng
    }
}
