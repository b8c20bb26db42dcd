//! Samples and noise: what the guarantee rests on, and nobody may foresee.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use crucible_kernels::{blocks, noised};
use rand_chacha::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};

/// Bytes of a key.
pub(crate) const KEY: usize = 32;

/// Words that are drawn at a time.
const AT_A_TIME: usize = 1 << 10;

/// Bits of a stream's number that tell what of its step it is for.
const PARTS: u32 = 24;

/// What a step's sample and noise are drawn from: streams of ChaCha with 12 rounds, found by a key and the number of the
/// step, so that a step that is taken again after a crash is the same step, and tells nothing new.
#[derive(Clone, PartialEq, Eq)]
pub struct Draws {
    key: [u8; KEY],
}

impl std::fmt::Debug for Draws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Draws")
    }
}

impl Draws {
    /// With this key.
    pub(crate) fn new(key: [u8; KEY]) -> Self {
        Self { key }
    }

    /// With a key of the operating system's.
    ///
    /// # Errors
    ///
    /// Where the system has none to give.
    pub fn secret() -> Result<Self, getrandom::Error> {
        let mut key = [0; KEY];
        getrandom::fill(&mut key)?;
        Ok(Self { key })
    }

    pub(crate) fn key(&self) -> [u8; KEY] {
        self.key
    }

    /// `scale` times the gradient of each of the network's parameters, and the step's noise, of this standard deviation.
    #[must_use]
    pub fn add_noise(
        &self,
        network: &impl Module,
        gradients: GradientsParams,
        step: u64,
        scale: f64,
        deviation: f64,
    ) -> GradientsParams {
        let mut noised = AddNoise { gradients, draws: self, step, block: 0, scale, deviation };
        network.visit(&mut noised);
        noised.gradients
    }

    /// The generator of a step's sample.
    pub(crate) fn sample(&self, step: u64) -> ChaCha12Rng {
        self.stream(step, 0)
    }

    /// The random words of a block of the step's noise.
    fn words(&self, step: u64, block: u64, words: &mut [u32]) {
        let mut rng = self.stream(step, 1 + block);
        let mut bytes = [0; 4 * AT_A_TIME];
        for words in words.chunks_mut(AT_A_TIME) {
            let bytes = &mut bytes[..4 * words.len()];
            rng.fill_bytes(bytes);
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *word = u32::from_le_bytes(*bytes);
            }
        }
    }

    fn stream(&self, step: u64, part: u64) -> ChaCha12Rng {
        assert!(step < 1 << (64 - PARTS) && part < 1 << PARTS, "streams do not run out");
        let mut rng = ChaCha12Rng::from_seed(self.key);
        rng.set_stream(step << PARTS | part);
        rng
    }
}

/// `scale` times each gradient, and noise of a standard deviation.
struct AddNoise<'a> {
    gradients: GradientsParams,
    draws: &'a Draws,
    step: u64,
    /// The first block of the step's noise that is not used.
    block: u64,
    scale: f64,
    deviation: f64,
}

impl ModuleVisitor for AddNoise<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // No gradient where the loss does not depend on the parameter, whatever the examples.
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return };
        let (draws, step, first) = (self.draws, self.step, self.block);
        self.block += blocks(gradient.dims().iter().product());
        let words = |block, words: &mut [u32]| draws.words(step, first + block, words);
        self.gradients.register(param.id, noised(gradient, self.scale, self.deviation, &words));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_key_step_and_block() {
        let drawn = |key, step, block, count| {
            let mut words = vec![0; count];
            Draws::new([key; KEY]).words(step, block, &mut words);
            words
        };
        let first = drawn(1, 5, 0, 3000);
        assert_eq!(first, drawn(1, 5, 0, 3000));
        assert_eq!(first[..70], drawn(1, 5, 0, 70));
        for other in [drawn(2, 5, 0, 3000), drawn(1, 6, 0, 3000), drawn(1, 5, 1, 3000)] {
            let same = first.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!(same < 3, "{same} of 3,000 words are the same");
        }
        let sample = Draws::new([1; KEY]).sample(5).next_u32();
        assert_ne!(sample, first[0]);
    }

    /// The first block of the algorithm's keystream for a key of zeros and no nonce, as published (RFC 8439's function with
    /// 12 rounds: `chacha12` of Strombergson's test vectors, TC1).
    #[test]
    fn the_stream_is_chacha_with_12_rounds() {
        let mut sample = Draws::new([0; KEY]).sample(0);
        let bytes: Vec<u8> =
            [sample.next_u32(), sample.next_u32()].iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(bytes, [0x9b, 0xf4, 0x9a, 0x6a, 0x07, 0x55, 0xf9, 0x53]);
    }
}
