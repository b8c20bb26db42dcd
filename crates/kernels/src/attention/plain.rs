//! Attention of Burn's operations, for any device.

use burn::backend::{Backend, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor};
use burn::tensor::{Shape, Slice, TensorData};

use super::Attention;

/// `[batch, tokens, width]` to `[batch, heads, tokens, width / heads]`.
pub(super) fn split<B: Backend>(tensor: FloatTensor<B>, heads: usize) -> FloatTensor<B> {
    let [batch, tokens, width] = tensor.shape().dims();
    let split = B::float_reshape(tensor, Shape::new([batch, tokens, heads, width / heads]));
    B::float_swap_dims(split, 1, 2)
}

/// The way back.
pub(super) fn join<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let [batch, heads, tokens, width] = tensor.shape().dims();
    B::float_reshape(B::float_swap_dims(tensor, 1, 2), Shape::new([batch, tokens, heads * width]))
}

pub(super) fn unpack<B: Backend>(packed: FloatTensor<B>) -> [FloatTensor<B>; 3] {
    let [batch, tokens, columns] = packed.shape().dims();
    let width = columns / 3;
    [0, 1, 2].map(|part| {
        let ranges = [0..batch, 0..tokens, part * width..(part + 1) * width];
        B::float_slice(packed.clone(), &ranges.map(Slice::from))
    })
}

/// Of queries `[.., width / heads]`.
pub(super) fn scale<B: Backend>(query: &FloatTensor<B>) -> f64 {
    1.0 / (query.shape()[3] as f64).sqrt()
}

pub(super) fn scores<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    mask: Option<FloatTensor<B>>,
    heads: usize,
) -> FloatTensor<B> {
    let (query, key) = (split::<B>(query, heads), split::<B>(key, heads));
    let scale = scale::<B>(&query);
    let product = B::float_matmul(query, B::float_swap_dims(key, 2, 3));
    let scores = B::float_mul_scalar(product, scale.into());
    match mask {
        Some(mask) => B::float_add(scores, mask),
        None => scores,
    }
}

/// Minus infinity where a query does not see a key: `[batch, 1, queries, keys]`, or one for an axis along which all is
/// the same.
pub(super) fn mask<B: Backend>(
    query: &FloatTensor<B>,
    key: &FloatTensor<B>,
    hidden: FloatTensor<B>,
    causal: bool,
) -> Option<FloatTensor<B>> {
    let ([batch, queries, _], keys) = (query.shape().dims(), key.shape()[1]);
    let hidden = (hidden.shape().num_elements() > 0)
        .then(|| B::float_reshape(hidden, Shape::new([batch, 1, 1, keys])));
    if !causal {
        return hidden;
    }
    let seen = |(query, key): (usize, usize)| key + queries <= query + keys;
    let places = (0..queries).flat_map(|query| (0..keys).map(move |key| (query, key)));
    let mask: Vec<f32> = places.map(|place| if seen(place) { 0.0 } else { f32::NEG_INFINITY }).collect();
    let behind = B::float_from_data(TensorData::new(mask, [1, 1, queries, keys]), &query.device());
    Some(match hidden {
        Some(hidden) => B::float_add(hidden, behind),
        None => behind,
    })
}

pub(super) fn forward<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    hidden: FloatTensor<B>,
    options: Attention,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let mask = mask::<B>(&query, &key, hidden, options.causal);
    let scores = scores::<B>(query, key, mask.clone(), options.heads);
    let mut largest = B::float_max_dim(scores.clone(), 3);
    if let Some(mask) = mask {
        // A query that sees no key gives zeros. Scores that are −∞ of themselves are NaN, as of any softmax.
        let seen = B::float_expand(B::float_max_dim(mask, 3), largest.shape());
        let bools = get_or_init_device_settings::<B>(&seen.device()).bool_dtype;
        let blind = B::float_equal_elem(seen, f32::NEG_INFINITY.into(), bools);
        largest = B::float_mask_fill(largest, blind, f32::MIN.into());
    }
    let (weights, log_sum) = weights::<B>(scores, largest);
    (join::<B>(B::float_matmul(weights, split::<B>(value, options.heads))), log_sum)
}

/// The softmax of each row, given what to subtract before, and the logarithm of its sum of exponentials.
fn weights<B: Backend>(scores: FloatTensor<B>, largest: FloatTensor<B>) -> (FloatTensor<B>, FloatTensor<B>) {
    let [batch, heads, queries, _] = scores.shape().dims();
    let exponentials = B::float_exp(B::float_sub(scores, largest.clone()));
    let sum = B::float_sum_dim(exponentials.clone(), 3);
    let sum = B::float_clamp_min(sum, f32::MIN_POSITIVE.into());
    let log_sum = B::float_add(B::float_log(sum.clone()), largest);
    let weights = B::float_div(exponentials, sum);
    (weights, B::float_reshape(log_sum, Shape::new([batch, heads, queries])))
}
