//! Samples and noise: what the guarantee rests on, and nobody may foresee.

use std::collections::VecDeque;
use std::sync::Mutex;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use crucible_kernels::{NORMALS, axpby, normals};
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

    /// The noise of a step for each of the network's parameters, of deviation 1, drawn beside `work`: by a thread that has
    /// nothing else to do, and by all of them once `work` is done.
    pub fn noise_beside<T>(&self, network: &impl Module, step: u64, work: impl FnOnce() -> T) -> (T, Noise) {
        let mut sizes = Sizes::default();
        network.visit(&mut sizes);
        let mut noise: Vec<Vec<f32>> = sizes.0.iter().map(|size| vec![0.0; *size]).collect();
        let blocks = noise.iter_mut().flat_map(|values| values.chunks_mut(NORMALS));
        let blocks = Mutex::new((0..).zip(blocks));
        let draw = || {
            let next = || blocks.lock().expect("drawing does not panic").next();
            while let Some((block, values)) = next() {
                normals(values, |words| self.words(step, block, words));
            }
        };
        let done = rayon::in_place_scope(|scope| {
            scope.spawn(|_| draw());
            let done = work();
            (1..rayon::current_num_threads()).for_each(|_| scope.spawn(|_| draw()));
            draw();
            done
        });
        (done, Noise { values: noise.into() })
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

/// How many values the parameters have, in the order in which they are visited.
#[derive(Default)]
struct Sizes(Vec<usize>);

impl ModuleVisitor for Sizes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.shape().num_elements());
    }
}

/// A step's noise for each of a network's parameters.
#[derive(Debug)]
pub struct Noise {
    /// In the order in which they are visited.
    values: VecDeque<Vec<f32>>,
}

impl Noise {
    /// `scale` times the gradient of each parameter, and the noise, of this standard deviation.
    ///
    /// # Panics
    ///
    /// Where the network is not the one that the noise was drawn for.
    #[must_use]
    pub fn add(
        self,
        network: &impl Module,
        gradients: GradientsParams,
        scale: f64,
        deviation: f64,
    ) -> GradientsParams {
        let mut add = AddNoise { gradients, noise: self, scale, deviation };
        network.visit(&mut add);
        add.gradients
    }
}

struct AddNoise {
    gradients: GradientsParams,
    noise: Noise,
    scale: f64,
    deviation: f64,
}

impl ModuleVisitor for AddNoise {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = self.noise.values.pop_front().expect("noise for each parameter");
        // No gradient where the loss does not depend on the parameter, whatever the examples.
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return };
        let noise = Tensor::from_data(TensorData::new(values, gradient.dims()), &gradient.device());
        self.gradients.register(param.id, axpby(self.scale, gradient, self.deviation, noise));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use crucible_models::layers::Linear;
    use rand_chacha::ChaCha8Rng;

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

    #[test]
    fn the_noise_depends_on_neither_threads_nor_the_work_beside() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let network = Linear::new("fc", 130, 70, &mut rng, &Device::flex());
        let noise = |threads: usize, milliseconds: u64| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let work = move || std::thread::sleep(std::time::Duration::from_millis(milliseconds));
            let draw = || Draws::new([3; KEY]).noise_beside(&network, 7, work).1;
            pool.install(draw).values
        };
        let first = noise(1, 0);
        assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [130 * 70, 70]);
        assert!(first == noise(2, 0) && first == noise(2, 5));
        let mut alone = vec![0.0; NORMALS];
        normals(&mut alone, |words| Draws::new([3; KEY]).words(7, 1, words));
        assert_eq!(first[0][NORMALS..2 * NORMALS], alone);
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
