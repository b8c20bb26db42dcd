//! A tensor with noise, written over it.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension, tensor::FloatTensor,
};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::{axpby::Weighted, flex, normals, simd};

/// Fills a slice with the random words of the block of this number: the same number, the same words.
pub type Words<'a> = dyn Fn(u64, &mut [u32]) + Sync + 'a;

/// Values of a block.
const BLOCK: usize = 1 << 12;
/// Words beyond those of a block's values, for the few that need more bits: on average half a one does.
const SPARE: usize = 64;

/// `scale · x + deviation · n` in one pass, with independent standard normal numbers `n` made of `words`, in the memory of
/// `x` where nothing else holds it. Blocks are numbered from 0 in row-major order, of [`blocks`] values; the result
/// depends on no number of threads.
///
/// A 32-bit word makes a number whose distribution is right to 2⁻⁵⁵ in its tails, up to 8.8 deviations.
#[must_use]
pub fn noised<const D: usize>(x: Tensor<D>, scale: f64, deviation: f64, words: &Words<'_>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as NoisedOps>::noised(
        x.into_dispatch(),
        scale as f32,
        deviation as f32,
        words,
    ))
}

/// How many blocks of words [`noised`] asks for, for so many values.
#[must_use]
pub fn blocks(values: usize) -> u64 {
    values.div_ceil(BLOCK) as u64
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait NoisedOps: Backend {
    fn noised(x: FloatTensor<Self>, scale: f32, deviation: f32, words: &Words<'_>) -> FloatTensor<Self> {
        let shape = x.shape();
        let mut noise = vec![0.0; shape.num_elements()];
        noise.par_chunks_mut(BLOCK).enumerate().for_each(|(block, noise)| fill(noise, block, words));
        let noise = Self::float_from_data(TensorData::new(noise, shape), &x.device());
        let x = Self::float_mul_scalar(x, scale.into());
        Self::float_add(x, Self::float_mul_scalar(noise, deviation.into()))
    }
}

impl NoisedOps for Flex {
    fn noised(x: FloatTensor<Self>, scale: f32, deviation: f32, words: &Words<'_>) -> FloatTensor<Self> {
        let mut x = flex::contiguous(x);
        let f = Weighted { a: scale, b: deviation };
        x.storage_mut().par_chunks_mut(BLOCK).enumerate().for_each(|(block, values)| {
            let mut noise = [0.0; BLOCK];
            let noise = &mut noise[..values.len()];
            fill(noise, block, words);
            simd::dispatch(simd::Update { f, target: values, others: [noise] });
        });
        x
    }
}

// What uses it works below autodiff.
impl<B: NoisedOps, C: CheckpointStrategy> NoisedOps for Autodiff<B, C> {}

/// Normal numbers of one block; an odd length takes the words of the next even one.
fn fill(noise: &mut [f32], block: usize, words: &Words<'_>) {
    let even = noise.len().next_multiple_of(2);
    let mut bits = [0; BLOCK + SPARE];
    let bits = &mut bits[..even + SPARE];
    words(block as u64, bits);
    if even == noise.len() {
        return normals::fill(noise, bits);
    }
    let mut padded = [0.0; BLOCK];
    normals::fill(&mut padded[..even], bits);
    noise.copy_from_slice(&padded[..noise.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Words that differ by block and place.
    fn mixed(block: u64, words: &mut [u32]) {
        for (i, word) in (0u64..).zip(words) {
            let z = (block << 32 | i).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            *word = (z >> 32) as u32;
        }
    }

    fn values(x: Tensor<2>) -> Vec<f32> {
        x.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn each_block_has_words_of_its_own_and_what_is_shared_stays() {
        let device = Device::flex();
        for count in [1, 7, 2 * BLOCK, 2 * BLOCK + 33] {
            let x = Tensor::<2>::ones([1, count], &device);
            let plain = values(noised(x.clone(), 0.0, 1.0, &mixed));
            let scaled = values(noised(x.clone(), 0.5, 2.0, &mixed));
            for (one, other) in plain.iter().zip(&scaled) {
                assert!((0.5 + 2.0 * one - other).abs() < 1e-6, "{one} {other}");
            }
            let mut block = vec![0.0; count.min(BLOCK)];
            fill(&mut block, 0, &mixed);
            assert_eq!(plain[..block.len()], block);
            if count > BLOCK {
                fill(&mut block, 1, &mixed);
                assert_eq!(plain[BLOCK..][..BLOCK], block);
            }
            assert_eq!(values(x), vec![1.0; count]);
            assert_eq!(blocks(count), count.div_ceil(4096) as u64);
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let x = Tensor::<2>::zeros([3, 5000], &Device::flex());
            pool.install(|| values(noised(x, 1.0, 1.0, &mixed)))
        };
        assert_eq!(run(1), run(2));
    }
}
