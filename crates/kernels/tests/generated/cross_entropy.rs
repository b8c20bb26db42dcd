use burn::tensor::{DType, Device, Tensor, TensorData, activation};
use crucible_kernels::softmax_cross_entropy;
use proptest::prelude::*;

use crate::input::{Input, Numbers, Of, Upstream, batch, input, moderate, size, special, upstream};
use crate::property::{Found, check, results, same_kind, same_kinds};

const NAMES: [&str; 2] = ["output", "by logits"];

#[derive(Debug)]
struct Case {
    logits: Input<2>,
    targets: Targets,
    upstream: Upstream<1>,
}

/// Rows of a distribution: how much of it one class has, at a place for each row, and the rest of all classes alike.
#[derive(Debug, Clone, Copy)]
struct Targets {
    shape: [usize; 2],
    share: f32,
    seed: u64,
}

impl Targets {
    fn values(&self) -> Vec<f32> {
        let [n, k] = self.shape;
        let mut values = vec![(1.0 - self.share) / k as f32; n * k];
        for row in 0..n {
            let class = (Numbers::Unit.at(self.seed, row) + 1.0) / 2.0 * k as f32;
            values[row * k + (class as usize).min(k - 1)] += self.share;
        }
        values
    }

    fn tensor(&self, dtype: DType) -> Tensor<2> {
        Tensor::from_data(TensorData::new(self.values(), self.shape), (&Device::flex(), dtype)).autodiff()
    }
}

fn targets(shape: [usize; 2]) -> impl Strategy<Value = Targets> {
    let share = prop_oneof![Just(1.0f32), Just(0.9), 0.0..=1.0f32];
    (share, any::<u64>().no_shrink()).prop_map(move |(share, seed)| Targets { shape, share, seed })
}

fn shape() -> impl Strategy<Value = [usize; 2]> {
    let classes = prop_oneof![8 => size(), 1 => 1000..=5000usize];
    (batch(), classes).prop_map(|(n, k)| [n, k])
}

fn cases() -> impl Strategy<Value = Case> {
    shape().prop_flat_map(|[n, k]| {
        (input([n, k]), targets([n, k]), upstream([n])).prop_map(|(logits, targets, upstream)| Case {
            logits,
            targets,
            upstream,
        })
    })
}

fn run(case: &Case, of: Of) -> Found {
    let logits = case.logits.leaf(of);
    let losses = match of {
        Of::Ours => softmax_cross_entropy(logits.clone(), case.targets.tensor(DType::F32)),
        _ => {
            let terms = activation::log_softmax(logits.clone(), 1) * case.targets.tensor(DType::F64);
            terms.sum_dim(1).neg().reshape([case.logits.shape[0]])
        }
    };
    results(of, losses, &case.upstream, &[&logits])
}

/// The losses by the definition, which are sums of positive numbers, and the sizes of the gradient.
fn by_hand(case: &Case) -> [Vec<f64>; 2] {
    let ([_, k], grad) = (case.logits.shape, case.upstream.values());
    let (logits, targets) = (case.logits.exact(), case.targets.values());
    let (mut losses, mut slopes) = (Vec::new(), Vec::new());
    for ((logits, targets), grad) in logits.chunks(k).zip(targets.chunks(k)).zip(grad) {
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = logits.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
        let terms = logits.iter().zip(targets).map(|(x, t)| (largest - x + log_sum, f64::from(*t)));
        losses.push(terms.clone().filter(|(_, t)| *t != 0.0).map(|(log, t)| log * t).sum());
        slopes.extend(terms.map(|(log, t)| ((-log).exp() + t) * f64::from(grad).abs()));
    }
    [losses, slopes]
}

#[test]
fn agrees_with_burn_and_the_definition() {
    check("softmax_cross_entropy", 96, cases(), |case, errors| {
        let (ours, [exact, slope]) = (run(case, Of::Ours), by_hand(case));
        errors.compare("output by definition", ours[0].as_ref().unwrap(), &exact, &exact)?;
        errors.compare_all(&NAMES, [&ours, &run(case, Of::Exact), &vec![Some(exact), Some(slope)]])
    });
}

/// A class of no target mass adds nothing here, even where its logit is minus infinity; Burn's product is NaN there, so
/// that every class has some.
#[test]
fn nan_and_infinities() {
    let cases = (batch(), size()).prop_flat_map(|(n, k)| {
        let targets =
            (0.1..0.9f32, any::<u64>()).prop_map(move |(share, seed)| Targets { shape: [n, k], share, seed });
        (special([n, k]), targets, moderate([n])).prop_map(|(logits, targets, upstream)| Case {
            logits,
            targets,
            upstream,
        })
    });
    check("softmax_cross_entropy", 96, cases, |case, _| {
        let ours = run(case, Of::Ours);
        same_kind("output by definition", ours[0].as_ref().unwrap(), &by_hand(case)[0])?;
        same_kinds(&NAMES, &ours, &run(case, Of::Exact))
    });
}
