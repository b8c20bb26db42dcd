//! Samples and noise: what the guarantee rests on, and nobody may foresee.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use crucible_kernels::{axpby, normals};
use rand_chacha::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};
use rayon::prelude::*;

/// Bytes of a key.
pub(crate) const KEY: usize = 32;

/// Normal numbers of one stream.
const CHUNK: usize = 1 << 14;

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
        let mut noised = AddNoise { gradients, draws: self, step, chunk: 0, scale, deviation };
        network.visit(&mut noised);
        noised.gradients
    }

    /// The generator of a step's sample.
    pub(crate) fn sample(&self, step: u64) -> ChaCha12Rng {
        self.stream(step, 0)
    }

    /// Standard normal numbers, those of the step from `chunk` on; whole chunks are used up, of which the number is
    /// returned.
    fn noise(&self, step: u64, chunk: u64, values: &mut [f32]) -> u64 {
        values.par_chunks_mut(CHUNK).enumerate().for_each(|(i, values)| {
            let chunk = chunk + i as u64;
            let mut bits = vec![0; values.len().next_multiple_of(2)];
            let mut rng = self.stream(step, 1 + 2 * chunk);
            bits.iter_mut().for_each(|word| *word = rng.next_u32());
            let mut more = self.stream(step, 2 + 2 * chunk);
            let more = || more.next_u32();
            if bits.len() == values.len() {
                return normals::fill(values, &bits, more);
            }
            let mut padded = vec![0.0; bits.len()];
            normals::fill(&mut padded, &bits, more);
            values.copy_from_slice(&padded[..values.len()]);
        });
        values.len().div_ceil(CHUNK) as u64
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
    /// The first chunk of the step's noise that is not used.
    chunk: u64,
    scale: f64,
    deviation: f64,
}

impl ModuleVisitor for AddNoise<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // No gradient where the loss does not depend on the parameter, whatever the examples.
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return };
        let mut noise = vec![0.0; gradient.dims().iter().product()];
        self.chunk += self.draws.noise(self.step, self.chunk, &mut noise);
        let noise = Tensor::from_data(TensorData::new(noise, gradient.dims()), &gradient.device());
        self.gradients.register(param.id, axpby(self.scale, gradient, self.deviation, noise));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_found_by_key_step_and_chunk() {
        let noise = |key, step, chunk, count| {
            let mut values = vec![0.0; count];
            assert_eq!(
                Draws::new([key; KEY]).noise(step, chunk, &mut values),
                (count as u64).div_ceil(CHUNK as u64)
            );
            values
        };
        let two = noise(1, 5, 0, 2 * CHUNK);
        assert_eq!(two, noise(1, 5, 0, 2 * CHUNK));
        assert_eq!(two[CHUNK..], noise(1, 5, 1, CHUNK));
        for other in [noise(2, 5, 0, 100), noise(1, 6, 0, 100), noise(1, 5, 1, 100)] {
            assert!(two.iter().zip(&other).all(|(a, b)| a != b));
        }
        assert_eq!(noise(1, 5, 0, 7).len(), 7);
    }
}
