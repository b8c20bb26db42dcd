use burn::tensor::Tensor;
use crucible_kernels::{BatchNormalized, batch_norm, batch_norm_train};
use proptest::prelude::*;

use crate::input::{
    Input, Numbers, Of, Upstream, input, input_of, moderate, ordinary, rows, special, upstream,
};
use crate::property::{Found, check, results, same_kind, same_kinds, values};

const NAMES: [&str; 6] = ["output", "by input", "by weight", "by bias", "mean", "variance"];

#[derive(Debug)]
struct Case {
    input: Input<3>,
    weight: Input<1>,
    bias: Input<1>,
    /// Mean and variance, unless they are those of the batch.
    given: Option<[Input<1>; 2]>,
    epsilon: f64,
    upstream: Upstream<3>,
}

/// Positions are those of pictures, or the one of a row.
fn shape() -> impl Strategy<Value = [usize; 3]> {
    let positions = prop_oneof![3 => Just(1), 3 => 2..=60usize, 1 => 300..=900usize];
    (rows(), positions).prop_map(|([n, channels], positions)| {
        let most = if n > 1000 {
            1
        } else if n > 100 {
            9
        } else {
            900
        };
        [n, channels, positions.min(most)]
    })
}

fn cases(given: bool) -> impl Strategy<Value = Case> {
    let epsilon = prop::sample::select(vec![1e-5, 1e-3, 1.0]);
    // The statistics of nothing are NaN.
    let shape =
        shape().prop_map(move |[n, channels, positions]| [n.max(usize::from(!given)), channels, positions]);
    (shape, epsilon).prop_flat_map(move |(shape, epsilon)| {
        let numbers = prop_oneof![Just(Numbers::Unit), Just(Numbers::Large), Just(Numbers::Few)];
        let of_channels = || input([shape[1]]);
        let statistics = (of_channels(), input_of([shape[1]], numbers));
        (input(shape), of_channels(), of_channels(), statistics, upstream(shape)).prop_map(
            move |(input, weight, bias, (mean, variance), upstream)| {
                let given = given.then_some([mean, variance]);
                Case { input, weight, bias, given, epsilon, upstream }
            },
        )
    })
}

/// `[channels]` beside `[n, channels, positions]`.
fn along(tensor: Tensor<1>) -> Tensor<3> {
    let channels = tensor.dims()[0];
    tensor.reshape([1, channels, 1])
}

fn mean(x: Tensor<3>) -> Tensor<3> {
    x.mean_dim(0).mean_dim(2)
}

fn sum(x: Tensor<3>) -> Vec<f64> {
    values(x.sum_dim(0).sum_dim(2))
}

/// Mean and variance in the form of the input.
fn statistics(case: &Case, x: &Tensor<3>, of: Of) -> [Tensor<3>; 2] {
    if let Some([mean, variance]) = &case.given {
        return [along(mean.untracked(of)), along(variance.untracked(of).abs())];
    }
    let mean = self::mean(x.clone());
    let centered = x.clone() - mean.clone();
    [mean, self::mean(centered.clone() * centered)]
}

fn run(case: &Case, of: Of) -> Found {
    let (x, w, b) = (case.input.leaf(of), case.weight.leaf(of), case.bias.leaf(of));
    let leaves = || [&x as _, &w as _, &b as _];
    if of != Of::Ours {
        let [mean, variance] = statistics(case, &x, of);
        let scale = (variance.clone() + f64::from(case.epsilon as f32)).sqrt().recip();
        let output = (x.clone() - mean.clone()) * scale * along(w.clone()) + along(b.clone());
        let mut found = results(of, output, &case.upstream, &leaves());
        found.extend([mean, variance].map(|tensor| Some(values(tensor.inner()))));
        return found;
    }
    let BatchNormalized { output, mean, variance } = match &case.given {
        Some([mean, variance]) => {
            let [mean, variance] = [mean.untracked(of), variance.untracked(of).abs()];
            let output =
                batch_norm(x.clone(), w.clone(), b.clone(), mean.clone(), variance.clone(), case.epsilon);
            BatchNormalized { output, mean, variance }
        }
        None => batch_norm_train(x.clone(), w.clone(), b.clone(), case.epsilon),
    };
    let mut found = results(of, output, &case.upstream, &leaves());
    found.extend([mean, variance].map(|tensor| Some(values(tensor.inner()))));
    found
}

/// What the errors are relative to: where the mean is subtracted, what is left has the error of both.
fn sizes(case: &Case) -> Found {
    let x = case.input.leaf(Of::Exact).inner();
    let [_, variance] = statistics(case, &x, Of::Exact).map(Tensor::inner);
    let scale = (variance.clone() + case.epsilon).sqrt().recip();
    let [w, b] = [&case.weight, &case.bias].map(|tensor| along(tensor.leaf(Of::Sizes).inner()));
    let grad = case.upstream.size();
    let center = match &case.given {
        Some([mean, _]) => along(mean.leaf(Of::Sizes).inner()),
        None => mean(x.clone().abs()),
    };
    let normalized = (x.clone().abs() + center.clone()) * scale.clone();
    let output = normalized.clone() * w.clone() + b;
    let rest = match case.given {
        Some(_) => grad.clone(),
        None => {
            let along = mean(grad.clone() * normalized.clone());
            grad.clone() + mean(grad.clone()) + normalized.clone() * along
        }
    };
    let (by_input, by_weight) = (rest * scale * w, sum(grad.clone() * normalized));
    // Rounding moves a mean by what rounds its values.
    let spread = if case.given.is_some() { variance } else { variance + center.clone().square() * 1e-9 };
    let found = [values(output), values(by_input), by_weight, sum(grad), values(center), values(spread)];
    found.map(Some).into()
}

/// Output, mean and variance by the definition.
fn by_hand(case: &Case) -> [Vec<f64>; 3] {
    let [n, channels, positions] = case.input.shape;
    let [x, w, b] = [case.input.exact(), case.weight.exact(), case.bias.exact()];
    let mut output = vec![0.0; x.len()];
    let (mut means, mut variances) = (Vec::new(), Vec::new());
    for c in 0..channels {
        let places: Vec<usize> =
            (0..n).flat_map(|i| (0..positions).map(move |p| (i * channels + c) * positions + p)).collect();
        let average =
            |f: &dyn Fn(f64) -> f64| places.iter().map(|&i| f(x[i])).sum::<f64>() / places.len() as f64;
        let (mean, variance) = match &case.given {
            Some([mean, variance]) => (mean.exact()[c], variance.exact()[c].abs()),
            None => {
                let mean = average(&|x| x);
                (mean, average(&|x| (x - mean).powi(2)))
            }
        };
        let scale = 1.0 / (variance + case.epsilon).sqrt();
        places.iter().for_each(|&i| output[i] = (x[i] - mean) * scale * w[c] + b[c]);
        means.push(mean);
        variances.push(variance);
    }
    [output, means, variances]
}

fn agrees(name: &str, given: bool) {
    check(name, 96, cases(given), |case, errors| {
        let (ours, sizes) = (run(case, Of::Ours), sizes(case));
        let names = ["output by definition", "mean by definition", "variance by definition"];
        for ((what, exact), i) in names.into_iter().zip(by_hand(case)).zip([0, 4, 5]) {
            errors.compare(what, ours[i].as_ref().unwrap(), &exact, sizes[i].as_ref().unwrap())?;
        }
        errors.compare_all(&NAMES, [&ours, &run(case, Of::Exact), &sizes])
    });
}

#[test]
fn training_agrees_with_burn_and_the_definition() {
    agrees("batch_norm_train", false);
}

#[test]
fn evaluation_agrees_with_burn_and_the_definition() {
    agrees("batch_norm", true);
}

#[test]
fn nan_and_infinities() {
    let cases = ([1..=9usize, 1..=40, 1..=20], any::<bool>()).prop_flat_map(|(shape, given)| {
        let weight = prop_oneof![ordinary([shape[1]]), special([shape[1]])];
        let statistics = [ordinary([shape[1]]), ordinary([shape[1]])];
        (special(shape), weight, special([shape[1]]), statistics, moderate(shape)).prop_map(
            move |(input, weight, bias, statistics, upstream)| {
                let given = given.then_some(statistics);
                Case { input, weight, bias, given, epsilon: 1e-2, upstream }
            },
        )
    });
    check("batch_norm", 96, cases, |case, _| {
        let ours = run(case, Of::Ours);
        // Where a weight is infinite, the order of the factors decides what gradients are.
        let names = if case.weight.is_special() { &NAMES[..1] } else { &NAMES };
        same_kind("output by definition", ours[0].as_ref().unwrap(), &by_hand(case)[0])?;
        let mut exact = run(case, Of::Exact);
        // A channel's infinity makes its mean NaN here, as it makes all that is found with the mean.
        for statistics in exact[4..].iter_mut().flatten().flatten().filter(|value| value.is_infinite()) {
            *statistics = f64::NAN;
        }
        same_kinds(names, &ours, &exact)
    });
}
