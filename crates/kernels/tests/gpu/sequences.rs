use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use crucible_kernels::{Attention, attention, embedding, self_attention};

use crate::{CLOSE, compare, outcome, wave};

/// The last two fifths of the keys of every second example, and all of the third's.
fn padding(batch: usize, keys: usize, device: &Device) -> Tensor<2, Bool> {
    let hidden = |i: usize| (i / keys % 2 == 1 && i % keys >= keys - keys * 2 / 5) || i / keys == 2;
    let values: Vec<bool> = (0..batch * keys).map(hidden).collect();
    Tensor::from_data(TensorData::new(values, [batch, keys]), device)
}

const MASKS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

#[test]
fn attention_over_masks() {
    for [batch, queries, keys, heads, columns] in [[1, 1, 2, 1, 1], [3, 5, 7, 2, 3], [4, 17, 17, 2, 8]] {
        for (causal, padded) in MASKS {
            let (options, width) = (Attention { heads, causal }, heads * columns);
            let case =
                format!("attention of {batch}x{queries}x{keys}x{width}, {options:?}, padding {padded}");
            compare(&case, CLOSE, |device| {
                let q = wave([batch, queries, width + 3], 0.1, device);
                let q = q.slice([0..batch, 0..queries, 2..width + 2]).require_grad();
                let k = wave([batch, width, keys], 1.0, device).swap_dims(1, 2).require_grad();
                let v = wave([batch, keys, width], 2.0, device).require_grad();
                let mask = padded.then(|| padding(batch, keys, device));
                let output = attention(q.clone(), k.clone(), v.clone(), mask, options);
                outcome(output, &[("query", &q), ("key", &k), ("value", &v)])
            });
        }
    }
}

#[test]
fn self_attention_over_masks() {
    for [batch, tokens, heads, columns] in [[1, 3, 1, 2], [4, 9, 2, 5]] {
        for (causal, padded) in MASKS {
            let (options, width) = (Attention { heads, causal }, heads * columns);
            let case = format!("self_attention of {batch}x{tokens}x{width}, {options:?}, padding {padded}");
            compare(&case, CLOSE, |device| {
                let packed = wave([batch, tokens, 3 * width], 0.3, device).require_grad();
                let mask = padded.then(|| padding(batch, tokens, device));
                outcome(self_attention(packed.clone(), mask, options), &[("packed", &packed)])
            });
        }
    }
}

#[test]
fn embedding_where_tokens_repeat() {
    for ([batch, tokens], vocabulary, width) in [([1, 1], 1, 1), ([4, 9], 50, 33), ([6, 10], 7, 5)] {
        compare(&format!("embedding of {batch}x{tokens} in {vocabulary}x{width}"), CLOSE, |device| {
            let table = wave([width, vocabulary], 0.2, device).transpose().require_grad();
            let numbers = (0..batch * tokens).map(|i| ((i * 7919 + i * i) % vocabulary) as i32);
            let numbers = TensorData::new(numbers.collect::<Vec<_>>(), [batch, tokens]);
            let indices = Tensor::<2, Int>::from_data(numbers, device);
            outcome(embedding(table.clone(), indices), &[("table", &table)])
        });
    }
}
