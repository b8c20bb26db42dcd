use burn::tensor::{Device, Int, IntDType, Tensor, TensorData, module};
use crucible_kernels::embedding;
use proptest::prelude::*;

use crate::input::{Input, Numbers, Of, Upstream, batch, input, moderate, size, special, upstream};
use crate::property::{Found, check, results, same_kinds};

const NAMES: [&str; 2] = ["output", "by table"];

#[derive(Debug)]
struct Case {
    table: Input<2>,
    indices: Indices,
    upstream: Upstream<3>,
}

#[derive(Debug, Clone)]
struct Indices {
    shape: [usize; 2],
    vocabulary: usize,
    dtype: IntDType,
    transposed: bool,
    seed: u64,
}

impl Indices {
    fn numbers(&self) -> Vec<i64> {
        let unit = |i: usize| (Numbers::Unit.at(self.seed, i) + 1.0) / 2.0;
        let place = |i: usize| ((unit(i) * self.vocabulary as f32) as usize).min(self.vocabulary - 1);
        (0..self.shape[0] * self.shape[1]).map(|i| place(i) as i64).collect()
    }

    fn tensor(&self) -> Tensor<2, Int> {
        let device = Device::flex();
        let whole = Tensor::<2, Int>::from_data(TensorData::new(self.numbers(), self.shape), &device);
        let tensor = if self.transposed {
            let there = Tensor::<2, Int>::from_data(whole.transpose().into_data(), &device);
            there.cast(self.dtype).transpose()
        } else {
            whole.cast(self.dtype)
        };
        tensor.autodiff()
    }
}

fn indices(shape: [usize; 2], vocabulary: usize) -> impl Strategy<Value = Indices> {
    let dtype = prop::sample::select(vec![IntDType::I64, IntDType::I32, IntDType::I16, IntDType::U32]);
    (dtype, any::<bool>(), any::<u64>().no_shrink()).prop_map(move |(dtype, transposed, seed)| Indices {
        shape,
        vocabulary,
        dtype,
        transposed,
        seed,
    })
}

/// Batch, tokens, vocabulary and width; some tables are so small that each row is read thousands of times.
fn sizes() -> impl Strategy<Value = [usize; 4]> {
    let any = (batch(), size(), size(), size());
    let any = any.prop_map(|(batch, tokens, vocabulary, width)| {
        [batch, if batch > 100 { tokens.min(9) } else { tokens }, vocabulary, width]
    });
    prop_oneof![10 => any, 1 => [50..=200usize, 50..=100, 1..=2, 1..=3]]
}

fn run(case: &Case, of: Of) -> Found {
    let table = case.table.leaf(of);
    let output = match of {
        Of::Ours => embedding(table.clone(), case.indices.tensor()),
        _ => module::embedding(table.clone(), case.indices.tensor().cast(IntDType::I64)),
    };
    results(of, output, &case.upstream, &[&table])
}

#[test]
fn agrees_with_burn_and_float64() {
    let cases = sizes().prop_flat_map(|[batch, tokens, vocabulary, width]| {
        let indices = indices([batch, tokens], vocabulary);
        (input([vocabulary, width]), indices, upstream([batch, tokens, width]))
            .prop_map(|(table, indices, upstream)| Case { table, indices, upstream })
    });
    check("embedding", 96, cases, |case, errors| {
        let [ours, exact, sizes] = [Of::Ours, Of::Exact, Of::Sizes].map(|of| run(case, of));
        prop_assert_eq!(&ours[0], &exact[0]);
        errors.compare_all(&NAMES, [&ours, &exact, &sizes])
    });
}

#[test]
fn nan_and_infinities() {
    let cases = sizes().prop_flat_map(|[batch, tokens, vocabulary, width]| {
        let indices = indices([batch, tokens], vocabulary);
        (special([vocabulary, width]), indices, moderate([batch, tokens, width]))
            .prop_map(|(table, indices, upstream)| Case { table, indices, upstream })
    });
    check("embedding", 96, cases, |case, _| same_kinds(&NAMES, &run(case, Of::Ours), &run(case, Of::Exact)));
}
