//! Products of matrices of which the first lies transposed, one pair beside another.

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::{
    flex,
    gemm::{self, View},
};

/// `aᵀ b` of each pair: `[n, t, i]` and `[n, t, j]` to `[n, i, j]`. The threads share the pairs, or the product of a
/// single one.
///
/// # Panics
///
/// Where the shapes do not fit each other.
#[must_use]
pub fn transposed_products(a: Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    assert_eq!(a.dims()[..2], b.dims()[..2], "transposed_products: a and b");
    Tensor::from_dispatch(<Dispatch as TransposedOps>::transposed_products(
        a.into_dispatch(),
        b.into_dispatch(),
    ))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait TransposedOps: Backend {
    fn transposed_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(Self::float_swap_dims(a, 1, 2), b)
    }
}

impl TransposedOps for Flex {
    fn transposed_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let ([n, length, rows], [_, _, columns]) = (a.shape().dims(), b.shape().dims());
        let (a, b) = (flex::contiguous(a), flex::contiguous(b));
        let (x, y) = (flex::values(&a), flex::values(&b));
        let mut output = flex::buffer(n * rows * columns);
        let to = View::rows(0, rows, columns, columns);
        let pair = |pair: usize| {
            let a = View::rows(pair * length * rows, length, rows, rows).transposed();
            ((x, a), (y, View::rows(pair * length * columns, length, columns, columns)))
        };
        if n == 1 {
            let (a, b) = pair(0);
            gemm::parallel_product((&mut output, to), false, 1.0, a, b);
        } else if !output.is_empty() {
            output.par_chunks_mut(rows * columns).enumerate().for_each(|(index, output)| {
                let (a, b) = pair(index);
                gemm::product((output, to), false, 1.0, a, b);
            });
        }
        flex::tensor(output, [n, rows, columns])
    }
}

// What uses it works below autodiff; a tracked product is made of Burn's operations.
impl<B: TransposedOps, C: CheckpointStrategy> TransposedOps for Autodiff<B, C> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_same_on_threads, values, wave};
    use burn::tensor::Device;

    #[test]
    fn agrees_with_burn() {
        let device = Device::flex();
        for [n, t, i, j] in
            [[1, 1, 1, 1], [1, 64, 33, 70], [5, 7, 3, 4], [3, 1, 8, 2], [0, 3, 2, 4], [2, 0, 3, 4]]
        {
            let (a, b) = (wave([n, t, i], 0.1, &device), wave([n, t, j], 1.0, &device));
            let product = transposed_products(a.clone(), b.clone());
            assert_eq!(product.dims(), [n, i, j]);
            if n * t > 0 {
                let strided = a.clone().swap_dims(1, 2).mul_scalar(1.0).swap_dims(1, 2);
                assert_eq!(values(transposed_products(strided, b.clone())), values(product.clone()));
                assert_close(product, a.swap_dims(1, 2).matmul(b), 1e-5);
            } else {
                assert!(values(product).iter().all(|value| *value == 0.0));
            }
        }
    }

    #[test]
    fn the_same_bytes_on_any_number_of_threads() {
        let device = Device::flex();
        let [a, b] = [0.1, 1.0].map(|phase| wave([9, 40, 65], phase, &device));
        assert_same_on_threads(|| vec![values(transposed_products(a.clone(), b.clone()))]);
    }
}
