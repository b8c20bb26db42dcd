//! The Euclidean norm of a tensor or of each of its rows, added up in float64.

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::{flex, simd};

/// `√Σx²` over all elements, on a GPU added up in float32.
#[must_use]
pub fn norm<const D: usize>(x: Tensor<D>) -> f64 {
    let norm = Tensor::<1>::from_dispatch(<Dispatch as NormOps>::euclidean_norm(x.into_dispatch()));
    f64::from(norm.into_scalar::<f32>())
}

/// [`norm`] of each row: `[n, k]` to `[n]`.
#[must_use]
pub fn row_norms(x: Tensor<2>) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as NormOps>::row_norms(x.into_dispatch()))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait NormOps: Backend {
    /// Shape `[1]`.
    fn euclidean_norm(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_sqrt(Self::float_sum(Self::float_mul(x.clone(), x)))
    }

    /// Shape `[n]`.
    fn row_norms(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let rows = x.shape()[0];
        let squares = Self::float_sum_dim(Self::float_mul(x.clone(), x), 1);
        Self::float_reshape(Self::float_sqrt(squares), Shape::new([rows]))
    }
}

impl NormOps for Flex {
    fn euclidean_norm(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let x = flex::contiguous(x);
        let x = flex::values(&x);
        // One sum for each chunk, added up in their order: the same bytes on any number of threads.
        let sum: f64 = if x.len() < 2 * simd::GRAIN {
            x.chunks(simd::GRAIN).map(|chunk| simd::dispatch(Squares(chunk))).sum()
        } else {
            let sums = x.par_chunks(simd::GRAIN).map(|chunk| simd::dispatch(Squares(chunk)));
            sums.collect::<Vec<f64>>().into_iter().sum()
        };
        flex::tensor(vec![sum.sqrt() as f32], [1])
    }

    fn row_norms(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let [rows, columns] = x.shape().dims();
        let x = flex::contiguous(x);
        let x = flex::values(&x);
        let mut norms = flex::buffer(rows);
        let norm = |(row, norm): (usize, &mut f32)| {
            *norm = simd::dispatch(Squares(&x[row * columns..][..columns])).sqrt() as f32;
        };
        if x.len() < 2 * simd::GRAIN {
            norms.iter_mut().enumerate().for_each(norm);
        } else {
            norms.par_iter_mut().enumerate().for_each(norm);
        }
        flex::tensor(norms, [rows])
    }
}

impl<B: NormOps, C: CheckpointStrategy> NormOps for Autodiff<B, C> {}

/// The sum of the squares. The loop is written so that the compiler finds the vectors: `pulp` has no step from f32 to
/// f64.
struct Squares<'a>(&'a [f32]);

impl WithSimd for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let square = |x: f32| f64::from(x) * f64::from(x);
        let (blocks, rest) = self.0.as_chunks::<16>();
        let mut sums = [0.0; 16];
        for block in blocks {
            for (sum, &x) in sums.iter_mut().zip(block) {
                *sum += square(x);
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|&x| square(x)).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn agrees_with_float64_and_with_burn() {
        for (rows, columns) in [(0, 3), (1, 1), (5, 7), (1, 16), (300, 257)] {
            let values: Vec<f32> =
                (0..rows * columns).map(|i| (i * 7919 % 1013) as f32 / 50.0 - 10.0).collect();
            let expected = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let data = TensorData::new(values, [rows, columns]);
            // Under autodiff stands the default of Burn's operations.
            for (device, limit) in [(Device::flex(), 1e-7), (Device::flex().autodiff(), 1e-5)] {
                let x = Tensor::<2>::from_data(data.clone(), &device);
                for x in [x.clone(), x.transpose()] {
                    let actual = norm(x);
                    assert!((actual - expected).abs() <= limit * expected, "{actual}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn each_row_is_a_tensor_of_its_own() {
        for (rows, columns) in [(0, 3), (1, 1), (5, 7), (3, 0), (300, 257)] {
            for device in [Device::flex(), Device::flex().autodiff()] {
                let x = crate::testing::wave([columns, rows], 0.1, &device).transpose();
                let norms = crate::testing::values(row_norms(x.clone()));
                assert_eq!(norms.len(), rows);
                for (row, actual) in norms.into_iter().enumerate() {
                    let expected = norm(x.clone().narrow(0, row, 1));
                    assert!(
                        (f64::from(actual) - expected).abs() <= 1e-5 * expected,
                        "{actual}, not {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn large_values_do_not_overflow_and_nan_is_not_lost() {
        let of = |values: &[f32]| norm(Tensor::<1>::from_floats(values, &Device::flex()));
        assert!((of(&[3e30, 4e30]) / 5e30 - 1.0).abs() < 1e-6);
        assert_eq!(of(&[1.0, f32::NEG_INFINITY]), f64::INFINITY);
        assert!(of(&[1.0, f32::NAN]).is_nan());
    }

    #[test]
    fn the_same_bytes_on_any_number_of_threads() {
        let values: Vec<f32> = (0..200_003).map(|i| (i * 7919 % 1013) as f32 / 506.0 - 1.0).collect();
        let x = Tensor::<1>::from_floats(values.as_slice(), &Device::flex());
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| norm(x.clone())).to_bits()
        };
        assert_eq!(on(1), on(2));
    }
}
