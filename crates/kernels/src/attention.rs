//! Scaled dot-product attention over several heads, with causal and padding masks.
//!
//! Memory grows with the number of queries plus keys, not with their product: scores exist for a block of queries at a
//! time ([`head`]), and the backward pass computes them again from the logarithm of each row's sum.

mod head;
mod plain;
#[cfg(test)]
mod tests;

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::{Bool, Device, Shape, Tensor};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::{flex, gemm::View, simd, tape};
use head::{Gradient, Head, Scratch};

/// How queries look at keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attention {
    /// Heads that the width is divided among.
    pub heads: usize,
    /// A query sees no key behind its own position; of fewer queries than keys, the last ones are meant.
    pub causal: bool,
}

/// `softmax(q kᵀ / √(width / heads)) v` of each head: query `[batch, queries, width]`, key and value `[batch, keys,
/// width]`, output `[batch, queries, width]`, heads side by side.
///
/// Where `padding` `[batch, keys]` is true, no query sees that key (PyTorch's `key_padding_mask`). A query that sees no
/// key at all gives zeros, where PyTorch's gives NaN.
///
/// A. Vaswani et al.: Attention is all you need, 2017; T. Dao et al.: FlashAttention, 2022, for the backward pass.
///
/// # Panics
///
/// Where the shapes do not fit each other, or the width is no multiple of the heads.
#[must_use]
pub fn attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    padding: Option<Tensor<2, Bool>>,
    options: Attention,
) -> Tensor<3> {
    let ([batch, _, width], [examples, keys, _]) = (query.dims(), key.dims());
    assert!(
        key.dims() == value.dims() && key.dims() == [batch, keys, width] && batch == examples,
        "attention: query {:?}, key {:?}, value {:?}",
        query.dims(),
        key.dims(),
        value.dims()
    );
    check(width, options);
    let hidden = hidden(padding, [batch, keys], &query.device());
    Tensor::from_dispatch(<Dispatch as AttentionOps>::attend(
        query.into_dispatch(),
        key.into_dispatch(),
        value.into_dispatch(),
        hidden.into_dispatch(),
        options,
    ))
}

/// [`attention`] of a sequence to itself, query, key and value side by side: `[batch, tokens, 3 · width]` to `[batch,
/// tokens, width]`.
///
/// # Panics
///
/// Where the last dimension is no multiple of three times the heads, or `padding` is not `[batch, tokens]`.
#[must_use]
pub fn self_attention(packed: Tensor<3>, padding: Option<Tensor<2, Bool>>, options: Attention) -> Tensor<3> {
    let [batch, tokens, columns] = packed.dims();
    assert!(columns.is_multiple_of(3), "self_attention: {columns} columns");
    check(columns / 3, options);
    let hidden = hidden(padding, [batch, tokens], &packed.device());
    Tensor::from_dispatch(<Dispatch as AttentionOps>::attend_to_self(
        packed.into_dispatch(),
        hidden.into_dispatch(),
        options,
    ))
}

fn check(width: usize, Attention { heads, .. }: Attention) {
    assert!(heads > 0 && width.is_multiple_of(heads), "attention: width {width}, {heads} heads");
}

/// What is added to the scores: minus infinity where a key is hidden. Empty if none is.
fn hidden(padding: Option<Tensor<2, Bool>>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    let Some(padding) = padding else { return Tensor::empty([0, 0], device) };
    assert_eq!(padding.dims(), shape, "attention: padding of [batch, keys]");
    Tensor::zeros(shape, device).mask_fill(padding, f32::NEG_INFINITY)
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait AttentionOps: Backend {
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        options: Attention,
    ) -> FloatTensor<Self> {
        Self::attend_keeping(query, key, value, hidden, options).0
    }

    /// The output, and the logarithm of the sum of exponentials of each row of scores `[batch, heads, queries]`.
    fn attend_keeping(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        options: Attention,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        plain::forward::<Self>(query, key, value, hidden, options)
    }

    /// The gradients by query, key and value.
    fn attend_backward(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        log_sum: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: Attention,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let split = |tensor| plain::split::<Self>(tensor, options.heads);
        let mask = plain::mask::<Self>(&query, &key, hidden, options.causal);
        let scores = plain::scores::<Self>(query.clone(), key.clone(), mask, options.heads);
        let [batch, heads, queries] = log_sum.shape().dims();
        let log_sum = Self::float_reshape(log_sum, Shape::new([batch, heads, queries, 1]));
        let weights = Self::float_exp(Self::float_sub(scores, log_sum));
        let (query, key, value, grad) = (split(query), split(key), split(value), split(grad));
        let by_value = Self::float_matmul(Self::float_swap_dims(weights.clone(), 2, 3), grad.clone());
        let by_weights = Self::float_matmul(grad, Self::float_swap_dims(value, 2, 3));
        let along = Self::float_sum_dim(Self::float_mul(weights.clone(), by_weights.clone()), 3);
        let by_scores = Self::float_mul(weights, Self::float_sub(by_weights, along));
        let by_scores = Self::float_mul_scalar(by_scores, plain::scale::<Self>(&query).into());
        let by_query = Self::float_matmul(by_scores.clone(), key);
        let by_key = Self::float_matmul(Self::float_swap_dims(by_scores, 2, 3), query);
        (plain::join::<Self>(by_query), plain::join::<Self>(by_key), plain::join::<Self>(by_value))
    }

    fn attend_to_self(
        packed: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        options: Attention,
    ) -> FloatTensor<Self> {
        let [query, key, value] = plain::unpack::<Self>(packed);
        Self::attend(query, key, value, hidden, options)
    }

    /// The gradient by the packed query, key and value.
    fn attend_to_self_backward(
        packed: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        log_sum: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: Attention,
    ) -> FloatTensor<Self> {
        let [query, key, value] = plain::unpack::<Self>(packed);
        let (query, key, value) = Self::attend_backward(query, key, value, hidden, log_sum, grad, options);
        Self::float_cat(vec![query, key, value], 2)
    }
}

/// `[batch, tokens, width]` whose rows are contiguous, as they lie.
struct Rows<'a> {
    values: &'a [f32],
    start: usize,
    example: usize,
    row: usize,
    tokens: usize,
}

/// The tensor itself where its rows are contiguous, as those of a slice are, else a copy.
fn with_rows(tensor: FlexTensor) -> FlexTensor {
    let layout = tensor.layout();
    let fits = layout.strides().iter().all(|&stride| stride >= 0) && layout.strides()[2] == 1;
    if fits { tensor } else { tensor.to_contiguous() }
}

impl<'a> Rows<'a> {
    fn new(tensor: &'a FlexTensor) -> Self {
        let layout = tensor.layout();
        let step = |axis: usize| layout.strides()[axis].unsigned_abs();
        Self {
            values: tensor.storage(),
            start: layout.start_offset(),
            example: step(0),
            row: step(1),
            tokens: layout.shape()[1],
        }
    }

    /// One head of one example, `width` columns.
    fn head(&self, example: usize, head: usize, width: usize) -> (&'a [f32], View) {
        let start = self.start + example * self.example + head * width;
        (self.values, View::rows(start, self.tokens, width, self.row))
    }
}

/// The sizes of one call.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    queries: usize,
    keys: usize,
    width: usize,
    options: Attention,
}

impl Sizes {
    fn new(query: &FlexTensor, key: &FlexTensor, options: Attention) -> Self {
        let [batch, queries, width] = query.shape().dims();
        Self { batch, queries, keys: key.shape()[1], width, options }
    }

    /// Columns of one head.
    fn head(&self) -> usize {
        self.width / self.options.heads
    }

    /// `[batch, heads, tokens, columns]` to rows with the heads side by side, and `N` such tensors side by side.
    fn join<const N: usize>(&self, parts: [(&[f32], usize); N]) -> Vec<f32> {
        let (width, columns, tokens) = (self.width, self.head(), parts[0].1);
        let mut output = flex::buffer(self.batch * tokens * N * width);
        simd::each_row(&mut output, N * width, |row, output| {
            let (example, token) = (row / tokens, row % tokens);
            for ((part, _), output) in parts.iter().zip(output.chunks_exact_mut(width)) {
                for (head, output) in output.chunks_exact_mut(columns).enumerate() {
                    let from = ((example * self.options.heads + head) * tokens + token) * columns;
                    output.copy_from_slice(&part[from..][..columns]);
                }
            }
        });
        output
    }

    /// Multiply-adds below which a second thread costs more than it brings.
    fn is_little(&self) -> bool {
        self.batch * self.queries * self.keys * self.width < 1 << 18
    }
}

/// Everything that is read.
struct Inputs<'a> {
    sizes: Sizes,
    query: Rows<'a>,
    key: Rows<'a>,
    value: Rows<'a>,
    hidden: Option<&'a [f32]>,
}

impl<'a> Inputs<'a> {
    fn head(&self, example: usize, head: usize) -> Head<'a> {
        let (width, keys) = (self.sizes.head(), self.sizes.keys);
        let rows = |rows: &Rows<'a>| rows.head(example, head, width);
        Head {
            query: rows(&self.query),
            key: rows(&self.key),
            value: rows(&self.value),
            hidden: self.hidden.map(|hidden| &hidden[example * keys..][..keys]),
            causal: self.sizes.options.causal,
        }
    }

    /// `run(example, head, part of each output, scratch)` for every head, in parallel where there is enough to do.
    fn each_head<const N: usize>(
        &self,
        outputs: [(&mut [f32], usize); N],
        run: impl Fn(usize, usize, [&mut [f32]; N], &mut Scratch) + Sync,
    ) {
        let heads = self.sizes.options.heads;
        let mut parts: Vec<[&mut [f32]; N]> = Vec::with_capacity(self.sizes.batch * heads);
        let mut iterators = outputs.map(|(output, length)| output.chunks_exact_mut(length.max(1)));
        for _ in 0..self.sizes.batch * heads {
            parts.push(iterators.each_mut().map(|parts| parts.next().unwrap_or_default()));
        }
        let run = |scratch: &mut Scratch, (index, parts)| run(index / heads, index % heads, parts, scratch);
        if self.sizes.is_little() {
            let mut scratch = Scratch::default();
            parts.into_iter().enumerate().for_each(|part| run(&mut scratch, part));
        } else {
            parts.into_par_iter().enumerate().for_each_init(Scratch::default, run);
        }
    }

    fn forward(&self) -> (FlexTensor, FlexTensor) {
        let Sizes { batch, queries, width, options: Attention { heads, .. }, .. } = self.sizes;
        let mut apart = flex::buffer(batch * queries * width);
        let mut log_sum = flex::buffer(batch * heads * queries);
        let outputs = [(&mut apart[..], queries * self.sizes.head()), (&mut log_sum[..], queries)];
        self.each_head(outputs, |example, head, [output, log_sum], scratch| {
            self.head(example, head).forward(output, log_sum, scratch);
        });
        let output = self.sizes.join([(&apart, queries)]);
        (flex::tensor(output, [batch, queries, width]), flex::tensor(log_sum, [batch, heads, queries]))
    }

    /// The gradients by query, key and value, `[batch, heads, tokens, columns]`.
    fn backward(&self, log_sum: &[f32], grad: &FlexTensor) -> [Vec<f32>; 3] {
        let Sizes { batch, queries, keys, width, options: Attention { heads, .. } } = self.sizes;
        let (grad, columns) = (Rows::new(grad), self.sizes.head());
        let [mut q, mut k, mut v] = [queries, keys, keys].map(|tokens| flex::buffer(batch * tokens * width));
        let outputs = [(&mut q[..], queries), (&mut k[..], keys), (&mut v[..], keys)];
        let outputs = outputs.map(|(output, tokens)| (output, tokens * columns));
        self.each_head(outputs, |example, head, gradients, scratch| {
            let gradient = Gradient {
                head: self.head(example, head),
                grad: grad.head(example, head, columns),
                log_sum: &log_sum[(example * heads + head) * queries..][..queries],
            };
            gradient.run(gradients, scratch);
        });
        [q, k, v]
    }
}

impl AttentionOps for Flex {
    fn attend_keeping(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        options: Attention,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let sizes = Sizes::new(&query, &key, options);
        let [query, key, value] = [query, key, value].map(with_rows);
        let hidden = flex::contiguous(hidden);
        let hidden = Some(flex::values(&hidden)).filter(|hidden| !hidden.is_empty());
        let [query, key, value] = [&query, &key, &value].map(Rows::new);
        Inputs { sizes, query, key, value, hidden }.forward()
    }

    fn attend_backward(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        log_sum: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: Attention,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let sizes = Sizes::new(&query, &key, options);
        let Sizes { batch, queries, keys, width, .. } = sizes;
        let [query, key, value, grad] = [query, key, value, grad].map(with_rows);
        let (hidden, log_sum) = (flex::contiguous(hidden), flex::contiguous(log_sum));
        let hidden = Some(flex::values(&hidden)).filter(|hidden| !hidden.is_empty());
        let rows = [&query, &key, &value].map(Rows::new);
        let [query, key, value] = rows;
        let inputs = Inputs { sizes, query, key, value, hidden };
        let [q, k, v] = inputs.backward(flex::values(&log_sum), &grad);
        let tensor =
            |values: &[f32], tokens| flex::tensor(sizes.join([(values, tokens)]), [batch, tokens, width]);
        (tensor(&q, queries), tensor(&k, keys), tensor(&v, keys))
    }

    fn attend_to_self_backward(
        packed: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        log_sum: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: Attention,
    ) -> FloatTensor<Self> {
        let shape = packed.shape();
        let parts = plain::unpack::<Self>(packed);
        let sizes = Sizes::new(&parts[0], &parts[1], options);
        let [query, key, value] = parts.map(with_rows);
        let grad = with_rows(grad);
        let (hidden, log_sum) = (flex::contiguous(hidden), flex::contiguous(log_sum));
        let hidden = Some(flex::values(&hidden)).filter(|hidden| !hidden.is_empty());
        let [query, key, value] = [&query, &key, &value].map(Rows::new);
        let inputs = Inputs { sizes, query, key, value, hidden };
        let by_parts = inputs.backward(flex::values(&log_sum), &grad);
        let by_parts = by_parts.each_ref().map(|part| (&part[..], sizes.queries));
        flex::tensor(sizes.join(by_parts), shape)
    }
}

impl<B: AttentionOps, C: CheckpointStrategy> AttentionOps for Autodiff<B, C> {
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        options: Attention,
    ) -> FloatTensor<Self> {
        let hidden = hidden.into_primitive();
        let forward = |[q, k, v]: [FloatTensor<B>; 3]| {
            let (output, log_sum) =
                B::attend_keeping(q.clone(), k.clone(), v.clone(), hidden.clone(), options);
            (output, (q, k, v, hidden, log_sum, options))
        };
        let inputs = [query, key, value];
        tape::record::<B, C, _, 3>(inputs, forward, |(q, k, v, hidden, log_sum, options), grad, _| {
            let (q, k, v) = B::attend_backward(q, k, v, hidden, log_sum, grad, options);
            [Some(q), Some(k), Some(v)]
        })
    }

    fn attend_to_self(
        packed: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        options: Attention,
    ) -> FloatTensor<Self> {
        let hidden = hidden.into_primitive();
        let forward = |[packed]: [FloatTensor<B>; 1]| {
            let [q, k, v] = plain::unpack::<B>(packed.clone());
            let (output, log_sum) = B::attend_keeping(q, k, v, hidden.clone(), options);
            (output, (packed, hidden, log_sum, options))
        };
        tape::record::<B, C, _, 1>([packed], forward, |(packed, hidden, log_sum, options), grad, _| {
            [Some(B::attend_to_self_backward(packed, hidden, log_sum, grad, options))]
        })
    }
}
