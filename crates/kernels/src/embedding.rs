//! Rows of a table, looked up by their numbers.

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata,
    autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension,
    ops::IntTensorOps,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{DType, IndexingUpdateOp, Int, IntDType, Shape, Tensor};

use crate::{flex, simd, tape};

/// The row of `weight` `[vocabulary, width]` at each of `indices` `[batch, tokens]`: `[batch, tokens, width]`.
///
/// # Panics
///
/// On the CPU where an index is negative or not below the vocabulary, before anything is read; other devices do as
/// Burn's own operation does there.
#[must_use]
pub fn embedding(weight: Tensor<2>, indices: Tensor<2, Int>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as EmbeddingOps>::look_up(
        weight.into_dispatch(),
        indices.into_dispatch(),
    ))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait EmbeddingOps: Backend {
    fn look_up(weight: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
        Self::embedding(weight, indices)
    }

    /// The gradient by a table of `vocabulary` rows: the sum of what came back to each.
    fn look_up_backward(
        indices: IntTensor<Self>,
        grad: FloatTensor<Self>,
        vocabulary: usize,
    ) -> FloatTensor<Self> {
        let [batch, tokens, width] = grad.shape().dims();
        let indices = Self::int_reshape(indices, Shape::new([batch * tokens]));
        let zeros = Self::float_zeros(Shape::new([vocabulary, width]), &grad.device(), grad.dtype().into());
        let grad = Self::float_reshape(grad, Shape::new([batch * tokens, width]));
        Self::float_select_assign(zeros, 0, indices, grad, IndexingUpdateOp::Add)
    }
}

impl EmbeddingOps for Flex {
    fn look_up(weight: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
        let ([batch, tokens], [vocabulary, width]) = (indices.shape().dims(), weight.shape().dims());
        let numbers = numbers(indices, vocabulary);
        let weight = flex::contiguous(weight);
        let rows = flex::values(&weight);
        // Copying is bound by memory: zeros to write over first would cost more than another thread brings.
        let mut output = Vec::with_capacity(numbers.len() * width);
        for number in numbers {
            output.extend_from_slice(&rows[number * width..][..width]);
        }
        flex::tensor(output, [batch, tokens, width])
    }

    fn look_up_backward(
        indices: IntTensor<Self>,
        grad: FloatTensor<Self>,
        vocabulary: usize,
    ) -> FloatTensor<Self> {
        let width = grad.shape()[2];
        let (numbers, grad) = (numbers(indices, vocabulary), flex::contiguous(grad));
        let grad = flex::values(&grad);
        let tokens = Tokens::new(&numbers, vocabulary);
        let mut output = flex::buffer(vocabulary * width);
        simd::each_row(&mut output, width, |row, output| {
            let tokens = tokens.of(row);
            if tokens.len() <= simd::SUMMED {
                return add_rows(grad, tokens, output);
            }
            let parts = tokens.chunks(simd::SUMMED).map(|tokens| {
                let mut sum = vec![0.0; width];
                add_rows(grad, tokens, &mut sum);
                sum
            });
            output.copy_from_slice(&simd::add_up(width, parts));
        });
        flex::tensor(output, [vocabulary, width])
    }
}

/// Adds the rows of `values` with these numbers to `sum`.
fn add_rows(values: &[f32], rows: &[usize], sum: &mut [f32]) {
    let width = sum.len();
    for row in rows {
        let row = &values[row * width..][..width];
        simd::dispatch(simd::Update { f: simd::Sum, target: &mut *sum, others: [row] });
    }
}

/// The indices of any integer type, all below `vocabulary`.
fn numbers(indices: IntTensor<Flex>, vocabulary: usize) -> Vec<usize> {
    let number = |index: i64| match usize::try_from(index) {
        Ok(number) if number < vocabulary => number,
        _ => panic!("embedding: index {index} in a vocabulary of {vocabulary}"),
    };
    let indices = if matches!(indices.dtype(), DType::I64 | DType::I32) {
        indices.to_contiguous()
    } else {
        Flex::int_cast(indices, IntDType::I64).to_contiguous()
    };
    match indices.dtype() {
        DType::I32 => {
            let values: &[i32] = indices.as_slice().expect("made contiguous before");
            values.iter().map(|&index| number(index.into())).collect()
        }
        _ => {
            let values: &[i64] = indices.as_slice().expect("made contiguous before");
            values.iter().map(|&index| number(index)).collect()
        }
    }
}

/// The tokens of each row of the table, in their order, so that rows can be summed apart from each other and the sums
/// do not depend on who makes them.
struct Tokens {
    /// Where in `tokens` those of each row begin, and the last end.
    starts: Vec<usize>,
    tokens: Vec<usize>,
}

impl Tokens {
    /// A counting sort.
    fn new(numbers: &[usize], vocabulary: usize) -> Self {
        let mut starts = vec![0; vocabulary + 1];
        for number in numbers {
            starts[number + 1] += 1;
        }
        for row in 0..vocabulary {
            starts[row + 1] += starts[row];
        }
        let (mut next, mut tokens) = (starts.clone(), vec![0; numbers.len()]);
        for (token, number) in numbers.iter().enumerate() {
            tokens[next[*number]] = token;
            next[*number] += 1;
        }
        Self { starts, tokens }
    }

    fn of(&self, row: usize) -> &[usize] {
        &self.tokens[self.starts[row]..self.starts[row + 1]]
    }
}

impl<B: EmbeddingOps, C: CheckpointStrategy> EmbeddingOps for Autodiff<B, C> {
    fn look_up(weight: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
        let forward = |[weight]: [FloatTensor<B>; 1]| {
            let vocabulary = weight.shape()[0];
            (B::look_up(weight, indices.clone()), (indices, vocabulary))
        };
        tape::record::<B, C, _, 1>([weight], forward, |(indices, vocabulary), grad, _| {
            [Some(B::look_up_backward(indices, grad, vocabulary))]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_same_on_threads, error, values, wave};
    use burn::tensor::{Device, TensorData, module};

    fn indices([batch, tokens]: [usize; 2], vocabulary: usize, device: &Device) -> Tensor<2, Int> {
        let values: Vec<i64> =
            (0..batch * tokens).map(|i| ((i * 7919 + i * i) % vocabulary) as i64).collect();
        Tensor::from_data(TensorData::new(values, [batch, tokens]), device)
    }

    const CASES: [([usize; 2], usize, usize); 6] = [
        ([0, 3], 5, 4),
        ([1, 1], 1, 1),
        ([1, 7], 3, 5),
        ([4, 9], 50, 33),
        ([16, 40], 7, 64),
        ([8, 128], 300, 130),
    ];

    #[test]
    fn agrees_with_burn_over_shapes_and_types_of_integers() {
        let device = Device::flex().autodiff();
        for (shape, vocabulary, width) in CASES {
            let [batch, tokens] = shape;
            let whole = indices(shape, vocabulary, &device);
            let transposed = indices([tokens, batch], vocabulary, &device).swap_dims(0, 1);
            let part =
                indices([batch + 1, tokens + 2], vocabulary, &device).slice([1..batch + 1, 1..tokens + 1]);
            for indices in [whole, transposed, part] {
                for dtype in [IntDType::I64, IntDType::I32, IntDType::I16, IntDType::U32] {
                    let indices = indices.clone().cast(dtype);
                    let table = wave([width, vocabulary], 0.2, &device).transpose();
                    let table = Tensor::from_inner(table.inner()).require_grad();
                    let ours = embedding(table.clone(), indices.clone());
                    let expected = module::embedding(table.clone(), indices.cast(IntDType::I64));
                    ours.clone().into_data().assert_eq(&expected.clone().into_data(), true);
                    let weight = wave([batch, tokens, width], 1.0, &device);
                    let actual = table.grad(&(ours * weight.clone()).sum().backward()).unwrap();
                    let expected = table.grad(&(expected * weight).sum().backward()).unwrap();
                    assert_close(actual, expected, 1e-5);
                }
            }
        }
    }

    #[test]
    fn agrees_with_float64_where_tokens_repeat() {
        let device = Device::flex().autodiff();
        let ([batch, tokens], vocabulary, width) = ([32, 100], 9, 21);
        let table = wave([vocabulary, width], 0.2, &device).require_grad();
        let indices = indices([batch, tokens], vocabulary, &device);
        let weight = wave([batch, tokens, width], 1.0, &device) * 1e6;
        let output = embedding(table.clone(), indices.clone());
        let actual = values(table.grad(&(output * weight.clone()).sum().backward()).unwrap());
        let mut exact = vec![0.0; vocabulary * width];
        let indices = indices.cast(IntDType::I64).into_data().try_to_vec::<i64>().unwrap();
        for (index, weight) in indices.iter().zip(values(weight.inner()).chunks(width)) {
            for (column, weight) in weight.iter().enumerate() {
                exact[*index as usize * width + column] += f64::from(*weight);
            }
        }
        assert!(error(&actual, &exact) < 1e-5);
    }

    #[test]
    fn nan_stays_in_its_row() {
        let device = Device::flex().autodiff();
        let table = Tensor::<2>::from_floats([[f32::NAN], [1.0], [f32::INFINITY]], &device).require_grad();
        let output = embedding(table.clone(), Tensor::from_ints([[0, 1], [2, 1]], &device));
        let found = values(output.clone().inner());
        assert!(found[0].is_nan() && found[1..] == [1.0, f32::INFINITY, 1.0]);
        let weight = Tensor::<3>::from_floats([[[2.0], [f32::NAN]], [[3.0], [1.0]]], &device);
        let grad = values(table.grad(&(output * weight).sum().backward()).unwrap());
        assert!(grad[1].is_nan() && [grad[0], grad[2]] == [2.0, 3.0]);
    }

    #[test]
    #[should_panic(expected = "embedding: index 3 in a vocabulary of 3")]
    fn an_index_beyond_the_vocabulary_is_refused() {
        let device = Device::flex();
        let _ = embedding(Tensor::ones([3, 2], &device), Tensor::from_ints([[0, 3]], &device));
    }

    #[test]
    #[should_panic(expected = "embedding: index -1 in a vocabulary of 3")]
    fn a_negative_index_is_refused() {
        let device = Device::flex();
        let _ = embedding(Tensor::ones([3, 2], &device), Tensor::from_ints([[0, -1]], &device));
    }

    #[test]
    fn same_bytes_on_any_number_of_threads() {
        assert_same_on_threads(|| {
            let device = Device::flex().autodiff();
            let table = wave([500, 128], 0.2, &device).require_grad();
            let output = embedding(table.clone(), indices([16, 128], 450, &device));
            let weight = wave([16, 128, 128], 1.0, &device);
            let grad = table.grad(&(output.clone() * weight).sum().backward()).unwrap();
            vec![values(output.inner()), values(grad)]
        });
    }
}
