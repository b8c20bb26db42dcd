use burn::tensor::{Bool, Device, Tensor, TensorData, activation};
use crucible_kernels::{Attention, attention, self_attention};
use proptest::prelude::*;

use crate::input::{Input, Numbers, Of, Upstream, input, input_of, moderate, ordinary, special, upstream};
use crate::property::{Found, Leaf, check, results, same_kind, same_kinds, values};

const NAMES: [&str; 4] = ["output", "by query", "by key", "by value"];

#[derive(Debug)]
struct Case {
    /// Query, key and value.
    inputs: [Input<3>; 3],
    padding: Option<Padding>,
    options: Attention,
    upstream: Upstream<3>,
}

/// Some keys of each example hidden, or all.
#[derive(Debug, Clone, Copy)]
struct Padding {
    shape: [usize; 2],
    share: f32,
    seed: u64,
}

impl Padding {
    fn hidden(&self) -> Vec<bool> {
        let places = 0..self.shape[0] * self.shape[1];
        places.map(|i| Numbers::Unit.at(self.seed, i) < 2.0 * self.share - 1.0).collect()
    }

    fn tensor(&self) -> Tensor<2, Bool> {
        Tensor::from_data(TensorData::new(self.hidden(), self.shape), &Device::flex())
    }
}

fn padding(shape: [usize; 2]) -> impl Strategy<Value = Option<Padding>> {
    let share = prop_oneof![4 => 0.0..=0.9f32, 1 => Just(1.0f32)];
    let padding = (share, any::<u64>()).prop_map(move |(share, seed)| Padding { shape, share, seed });
    proptest::option::of(padding)
}

/// Batch, queries, keys, heads, columns of a head, and whether causal.
fn sizes() -> impl Strategy<Value = ([usize; 5], bool)> {
    let batch = prop_oneof![1 => Just(0), 2 => Just(1), 4 => 2..=5usize];
    let tokens = || prop_oneof![6 => 1..=20usize, 2 => 21..=90usize, 1 => 130..=300usize];
    let tokens = (any::<bool>(), tokens(), tokens()).prop_map(|(same, a, b)| (a, if same { a } else { b }));
    (batch, tokens, 1..=4usize, prop_oneof![1..=9usize, Just(16)], any::<bool>()).prop_map(
        |(batch, (queries, keys), heads, columns, causal)| ([batch, queries, keys, heads, columns], causal),
    )
}

fn cases() -> impl Strategy<Value = Case> {
    sizes().prop_flat_map(|([batch, queries, keys, heads, columns], causal)| {
        let width = heads * columns;
        // Scores of a thousand or more leave nothing but the largest.
        let small = || prop_oneof![4 => Just(Numbers::Unit), 1 => Just(Numbers::Few)];
        let inputs = (
            input_of([batch, queries, width], small()),
            input_of([batch, keys, width], small()),
            input([batch, keys, width]),
        );
        (inputs, padding([batch, keys]), upstream([batch, queries, width])).prop_map(
            move |((query, key, value), padding, upstream)| {
                let options = Attention { heads, causal };
                Case { inputs: [query, key, value], padding, options, upstream }
            },
        )
    })
}

fn split(tensor: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, width] = tensor.dims();
    tensor.reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2)
}

fn join(tensor: Tensor<4>) -> Tensor<3> {
    let [batch, heads, tokens, columns] = tensor.dims();
    tensor.swap_dims(1, 2).reshape([batch, tokens, heads * columns])
}

impl Case {
    /// Whether an example's query sees a key, which is as the kernel's documentation says.
    fn sees(&self, example: usize, query: usize, key: usize, hidden: &[bool]) -> bool {
        let (queries, keys) = (self.inputs[0].shape[1], self.inputs[1].shape[1]);
        let before = !self.options.causal || key + queries <= query + keys;
        before && !hidden.get(example * keys + key).is_some_and(|hidden| *hidden)
    }

    /// One where a query sees a key, else zero: `[batch, heads, queries, keys]`.
    fn seen(&self) -> Tensor<4> {
        let ([batch, queries, _], [_, keys, _]) = (self.inputs[0].shape, self.inputs[1].shape);
        let hidden = self.padding.map_or(Vec::new(), |padding| padding.hidden());
        let shape = [batch, self.options.heads, queries, keys];
        let places = (0..shape.iter().product())
            .map(|i| [i / (shape[1] * queries * keys), i / keys % queries, i % keys]);
        exact(
            places.map(|[example, query, key]| self.sees(example, query, key, &hidden).into()).collect(),
            shape,
        )
    }

    fn scale(&self) -> f64 {
        (self.inputs[0].shape[2] as f64 / self.options.heads as f64).sqrt().recip()
    }

    /// The weights that a query gives to keys; zeros where it sees none.
    fn weights(&self, query: Tensor<4>, key: Tensor<4>) -> Tensor<4> {
        let seen = self.seen();
        let scores = query.matmul(key.transpose()) * self.scale();
        let hidden = seen.clone().equal_elem(0.0);
        let any = seen.max_dim(3);
        activation::softmax(scores.mask_fill(hidden, -1e300), 3) * any
    }
}

fn exact<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), burn::tensor::DType::F64)).autodiff()
}

fn run(case: &Case, of: Of) -> Found {
    let leaves = case.inputs.each_ref().map(|input| input.leaf(of));
    let [q, k, v] = leaves.clone();
    let output = if of == Of::Ours {
        let padding = case.padding.map(|padding| padding.tensor().autodiff());
        attention(q, k, v, padding, case.options)
    } else {
        let [q, k, v] = [q, k, v].map(|tensor| split(tensor, case.options.heads));
        join(case.weights(q, k).matmul(v))
    };
    results(of, output, &case.upstream, &leaves.each_ref().map(|leaf| leaf as &dyn Leaf))
}

/// What the errors are relative to. A score's error, relative to its own size, is one of the weights.
fn error_sizes(case: &Case) -> Found {
    let exact = case.inputs.each_ref().map(|input| split(input.untracked(Of::Exact), case.options.heads));
    let [q, k, v] = case.inputs.each_ref().map(|input| split(input.untracked(Of::Sizes), case.options.heads));
    let grad = split(case.upstream.size().autodiff(), case.options.heads);
    let [query, key, _] = exact;
    let scores = q.clone().matmul(k.clone().transpose()) * case.scale();
    let weights = case.weights(query, key) * (scores.max_dim(3) + 1.0);
    let by_weights = grad.clone().matmul(v.clone().transpose());
    let along = (weights.clone() * by_weights.clone()).sum_dim(3);
    let by_scores = weights.clone() * (by_weights + along) * case.scale();
    let found = [
        weights.clone().matmul(v),
        by_scores.clone().matmul(k),
        by_scores.transpose().matmul(q),
        weights.transpose().matmul(grad),
    ];
    found.map(|tensor| Some(values(join(tensor).inner()))).into()
}

/// The output by the definition.
fn by_hand(case: &Case) -> Vec<f64> {
    let ([batch, queries, width], [_, keys, _]) = (case.inputs[0].shape, case.inputs[1].shape);
    let [q, k, v] = case.inputs.each_ref().map(Input::exact);
    let (columns, hidden) =
        (width / case.options.heads, case.padding.map_or(Vec::new(), |padding| padding.hidden()));
    let mut output = vec![0.0; q.len()];
    for (row, head) in
        (0..batch * queries).flat_map(|row| (0..case.options.heads).map(move |head| (row, head)))
    {
        let example = row / queries;
        let part = |values: &[f64], row: usize| values[row * width + head * columns..][..columns].to_vec();
        let query = part(&q, row);
        let seen: Vec<usize> = (0..keys)
            .filter(|key| case.sees(example, row % queries, *key, &hidden))
            .map(|key| example * keys + key)
            .collect();
        let dot =
            |key: &usize| part(&k, *key).iter().zip(&query).map(|(k, q)| k * q).sum::<f64>() * case.scale();
        let scores: Vec<f64> = seen.iter().map(dot).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let output = &mut output[row * width + head * columns..][..columns];
        for (power, key) in powers.iter().zip(&seen) {
            output.iter_mut().zip(part(&v, *key)).for_each(|(output, v)| *output += power / sum * v);
        }
    }
    output
}

#[test]
fn agrees_with_burn_and_the_definition() {
    check("attention", 96, cases(), |case, errors| {
        let (ours, sizes) = (run(case, Of::Ours), error_sizes(case));
        let (output, size) = (ours[0].as_ref().unwrap(), sizes[0].as_ref().unwrap());
        errors.compare("output by definition", output, &by_hand(case), size)?;
        errors.compare_all(&NAMES, [&ours, &run(case, Of::Exact), &sizes])
    });
}

/// Packed, the three inputs are one.
#[test]
fn a_sequence_to_itself_is_the_same() {
    // Burn tracks no part of an empty tensor.
    let sizes = sizes().prop_map(|([batch, _, tokens, heads, columns], causal)| {
        ([batch.max(1), tokens, heads, columns], causal)
    });
    let cases = sizes.prop_flat_map(|([batch, tokens, heads, columns], causal)| {
        let width = heads * columns;
        let packed = input_of([batch, tokens, 3 * width], Just(Numbers::Unit));
        (
            packed,
            padding([batch, tokens]),
            upstream([batch, tokens, width]),
            Just(Attention { heads, causal }),
        )
    });
    check("self_attention", 64, cases, |(packed, padding, upstream, options), errors| {
        let run = |packed_kernel: bool| {
            let leaf = packed.leaf(Of::Ours);
            let padding = padding.map(|padding| padding.tensor().autodiff());
            let output = if packed_kernel {
                self_attention(leaf.clone(), padding, *options)
            } else {
                let [query, key, value] = leaf.clone().chunk(3, 2).try_into().unwrap();
                attention(query, key, value, padding, *options)
            };
            results(Of::Ours, output, upstream, &[&leaf])
        };
        let (packed, apart) = (run(true), run(false));
        let sizes = apart.iter().map(|found| found.as_ref().map(|values| vec![1.0; values.len()])).collect();
        errors.compare_all(&["output", "by packed"], [&packed, &apart, &sizes])
    });
}

/// Without masks: of what a mask hides, IEEE's zero times NaN is NaN, and what is skipped is not.
#[test]
fn nan_and_infinities() {
    let cases = sizes().prop_flat_map(|([batch, queries, keys, heads, columns], _)| {
        let width = heads * columns;
        let (query, others) = ([batch, queries, width], [batch, keys, width]);
        (special(query), ordinary(others), special(others), moderate(query)).prop_map(
            move |(query, key, value, upstream)| {
                let options = Attention { heads, causal: false };
                Case { inputs: [query, key, value], padding: None, options, upstream }
            },
        )
    });
    check("attention", 96, cases, |case, _| {
        let ours = run(case, Of::Ours);
        same_kind("output by definition", ours[0].as_ref().unwrap(), &by_hand(case))?;
        same_kinds(&NAMES, &ours, &run(case, Of::Exact))
    });
}
