use super::*;
use burn::tensor::{Device, TensorData, Tolerance, activation};

fn wave<const D: usize>(shape: [usize; D], phase: f32, device: &Device) -> Tensor<D> {
    let values: Vec<f32> =
        (0..shape.iter().product()).map(|i| (i as f32 * 0.7 + phase).sin() * 2.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Of Burn's operations, differentiated by Burn.
fn plain(
    [query, key, value]: [Tensor<3>; 3],
    padding: Option<Tensor<2, Bool>>,
    Attention { heads, causal }: Attention,
) -> Tensor<3> {
    let ([batch, queries, width], [_, keys, _]) = (query.dims(), key.dims());
    let split = |x: Tensor<3>, tokens| x.reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2);
    let (query, key, value) = (split(query, queries), split(key, keys), split(value, keys));
    let mut scores = query.matmul(key.transpose()) / (width as f64 / heads as f64).sqrt();
    if let Some(padding) = padding {
        let hidden = padding.reshape([batch, 1, 1, keys]).expand([batch, heads, queries, keys]);
        scores = scores.mask_fill(hidden, f32::NEG_INFINITY);
    }
    if causal {
        let seen = Tensor::<2, Bool>::tril_mask([queries, keys], (keys - queries) as i64, &scores.device());
        let seen = seen.reshape([1, 1, queries, keys]).expand([batch, heads, queries, keys]);
        scores = scores.mask_fill(seen, f32::NEG_INFINITY);
    }
    activation::softmax(scores, 3).matmul(value).swap_dims(1, 2).reshape([batch, queries, width])
}

/// The last two fifths of the keys of every second example.
fn padding(batch: usize, keys: usize, device: &Device) -> Tensor<2, Bool> {
    let hidden = |i: usize| (i / keys) % 2 == 1 && i % keys >= keys - keys * 2 / 5;
    let values: Vec<bool> = (0..batch * keys).map(hidden).collect();
    Tensor::from_data(TensorData::new(values, [batch, keys]), device)
}

fn close(actual: TensorData, expected: TensorData) {
    actual.assert_approx_eq::<f32>(&expected, Tolerance::rel_abs(1e-4, 3e-5));
}

/// Batch, queries, keys, heads, columns of a head.
const SHAPES: [[usize; 5]; 6] = [
    [1, 1, 1, 1, 1],
    [2, 3, 5, 2, 3],
    [5, 17, 17, 4, 8],
    [1, 70, 131, 3, 5],
    [4, 128, 128, 2, 32],
    [2, 300, 300, 1, 16],
];

#[test]
fn agrees_with_burn_over_shapes_and_masks() {
    let device = Device::flex().autodiff();
    for [batch, queries, keys, heads, columns] in SHAPES {
        for (causal, padded) in [(false, false), (true, false), (false, true), (true, true)] {
            let options = Attention { heads, causal };
            let width = heads * columns;
            // Not contiguous: rows of a wider tensor, and a transposed one.
            let q =
                wave([batch, queries, width + 3], 0.1, &device).slice([0..batch, 0..queries, 2..width + 2]);
            let k = wave([batch, width, keys], 1.0, &device).swap_dims(1, 2);
            let v = wave([batch, keys, width], 2.0, &device);
            let [q, k, v] = [q, k, v].map(Tensor::require_grad);
            let mask = padded.then(|| padding(batch, keys, &device));
            let ours = attention(q.clone(), k.clone(), v.clone(), mask.clone(), options);
            let expected = plain([q.clone(), k.clone(), v.clone()], mask, options);
            close(ours.to_data(), expected.to_data());
            let weights = wave([batch, queries, width], 3.0, &device);
            let actual = (ours * weights.clone()).sum().backward();
            let expected = (expected * weights).sum().backward();
            for input in [&q, &k, &v] {
                close(input.grad(&actual).unwrap().to_data(), input.grad(&expected).unwrap().to_data());
            }
        }
    }
}

#[test]
fn a_sequence_to_itself_is_the_same() {
    let device = Device::flex().autodiff();
    for [batch, _, tokens, heads, columns] in SHAPES {
        let (options, width) = (Attention { heads, causal: true }, heads * columns);
        let packed = wave([batch, tokens, 3 * width], 0.3, &device).require_grad();
        let part = |i: usize| packed.clone().slice([0..batch, 0..tokens, i * width..(i + 1) * width]);
        let ours = self_attention(packed.clone(), None, options);
        let expected = attention(part(0), part(1), part(2), None, options);
        close(ours.to_data(), expected.to_data());
        let weights = wave([batch, tokens, width], 3.0, &device);
        let actual = packed.grad(&(ours * weights.clone()).sum().backward()).unwrap();
        close(actual.to_data(), packed.grad(&(expected * weights).sum().backward()).unwrap().to_data());
    }
}

/// The forward pass that other devices run, on this one.
#[test]
fn the_default_agrees_too() {
    let (batch, queries, keys, options) = (2, 5, 7, Attention { heads: 2, causal: true });
    let device = Device::flex();
    let tensor = |tokens: usize, phase: f32| wave([batch, tokens, 6], phase, &device);
    let inner = |tensor: Tensor<3>| -> FlexTensor { FlexTensor::from_data(tensor.into_data()) };
    let [q, k, v] = [(queries, 0.1), (keys, 1.0), (keys, 2.0)].map(|(t, p)| inner(tensor(t, p)));
    let hide = hidden(Some(padding(batch, keys, &device)), [batch, keys], &device);
    let hide = FlexTensor::from_data(hide.into_data());
    let fused = Flex::attend_keeping(q.clone(), k.clone(), v.clone(), hide.clone(), options);
    let (output, log_sum) = plain::forward::<Flex>(q, k, v, hide, options);
    close(output.into_data(), fused.0.into_data());
    close(log_sum.into_data(), fused.1.into_data());
}

/// One head in float64.
#[test]
fn agrees_with_float64() {
    let device = Device::flex();
    let (queries, keys, columns) = (40, 90, 24);
    let [q, k, v] =
        [(queries, 0.2), (keys, 1.1), (keys, 2.3)].map(|(t, phase)| wave([1, t, columns], phase, &device));
    let output = attention(q.clone(), k.clone(), v.clone(), None, Attention { heads: 1, causal: false });
    let values = |tensor: Tensor<3>| -> Vec<f64> {
        tensor.into_data().try_to_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
    };
    let (q, k, v, output) = (values(q), values(k), values(v), values(output));
    for (query, output) in q.chunks(columns).zip(output.chunks(columns)) {
        let dot =
            |key: &[f64]| query.iter().zip(key).map(|(q, k)| q * k).sum::<f64>() / (columns as f64).sqrt();
        let scores: Vec<f64> = k.chunks(columns).map(dot).collect();
        let largest = scores.iter().copied().fold(f64::MIN, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let sum: f64 = weights.iter().sum();
        for (column, actual) in output.iter().enumerate() {
            let terms =
                weights.iter().zip(v.chunks(columns)).map(|(weight, value)| weight * value[column] / sum);
            let size: f64 = terms.clone().map(f64::abs).sum();
            assert!((actual - terms.sum::<f64>()).abs() <= 1e-5 * size);
        }
    }
}

#[test]
fn large_scores_neither_overflow_nor_vanish() {
    let device = Device::flex();
    let q = Tensor::<3>::from_floats([[[1e4]]], &device);
    let k = Tensor::<3>::from_floats([[[1e4], [1.0], [-1e4]]], &device);
    let v = Tensor::<3>::from_floats([[[3.0], [5.0], [7.0]]], &device);
    let output = attention(q, k, v, None, Attention { heads: 1, causal: false });
    assert_eq!(output.into_scalar::<f32>(), 3.0);
}

#[test]
fn what_sees_nothing_gives_zeros_and_nan_stays_in_its_row() {
    let device = Device::flex().autodiff();
    let x = wave([2, 3, 4], 0.5, &device).require_grad();
    let all = Tensor::<2, Bool>::from_data([[true, true, true], [false, false, true]], &device);
    let options = Attention { heads: 2, causal: false };
    let output = attention(x.clone(), x.clone(), x.clone(), Some(all), options);
    let values = output.to_data().try_to_vec::<f32>().unwrap();
    assert!(values[..12].iter().all(|&value| value == 0.0) && values[12..].iter().all(|&value| value != 0.0));
    let gradient = x.grad(&output.sum().backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
    assert!(
        gradient.iter().all(|value| value.is_finite()) && gradient[..12].iter().all(|&value| value == 0.0)
    );

    let device = Device::flex();
    let q = Tensor::<3>::from_floats([[[f32::NAN], [1.0]]], &device);
    let k = Tensor::<3>::from_floats([[[1.0], [2.0]]], &device);
    let output = attention(q, k.clone(), k, None, Attention { heads: 1, causal: false });
    let values = output.into_data().try_to_vec::<f32>().unwrap();
    assert!(values[0].is_nan() && values[1].is_finite());
}

#[test]
fn empty_batches_and_the_same_bytes_on_one_thread() {
    let device = Device::flex();
    let options = Attention { heads: 2, causal: false };
    assert_eq!(self_attention(Tensor::zeros([0, 3, 12], &device), None, options).dims(), [0, 3, 4]);
    assert_eq!(self_attention(Tensor::zeros([2, 0, 12], &device), None, options).dims(), [2, 0, 4]);
    let run = || {
        let device = Device::flex().autodiff();
        let x = wave([3, 130, 96], 0.5, &device).require_grad();
        let output = self_attention(x.clone(), None, options);
        let gradient = x.grad(&output.clone().sum().backward()).unwrap();
        [output.to_data(), gradient.to_data()]
    };
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for (several, one) in run().into_iter().zip(one.install(run)) {
        assert_eq!(several.as_bytes(), one.as_bytes());
    }
}
