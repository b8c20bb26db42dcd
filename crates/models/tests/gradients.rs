//! Every layer's value and every gradient against a second implementation: plain loops in float64, differentiated by
//! central differences.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of tests fails by panicking, and says how near it came"
)]

use burn::module::{Param, RunningState};
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    Activation,
    layers::{AvgPool2d, BatchNorm, Conv2d, Conv2dConfig, Dropout, Linear, MaxPool2d},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Relative to the largest value of a tensor. Float32 carries 24 bits, 6e-8 of each value, and the sums here have up to
/// a few hundred terms of size 1; the differences in float64 err by about h² = 1e-10. The rest is room for another
/// order of summation, and far less than any wrong term.
const TOLERANCE: f64 = 1e-5;
const H: f64 = 1e-5;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(20_240_601)
}

fn uniform(count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0_f32..=1.0)).collect()
}

fn tensor<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex().autodiff())
}

fn leaf<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
    tensor(values, shape).require_grad()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// A layer's output, and the gradient of a weighted sum of it by each argument.
struct Found {
    output: Vec<f32>,
    gradients: Vec<(&'static str, Vec<f32>)>,
}

/// The weights of the sum: as generic as an upstream gradient gets.
fn probe(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 29 + 5) % 47) as f32 / 20.0 - 1.1).collect()
}

/// The weighted sum of a layer's output, to go backward from.
fn probed<const D: usize>(output: &Tensor<D>) -> Tensor<1> {
    (output.clone() * tensor(&probe(output.shape().num_elements()), output.dims())).sum()
}

/// Holds what a layer gave against `reference`, a function of the same arguments.
#[track_caller]
fn check(case: &str, found: &Found, arguments: &[&[f32]], reference: &dyn Fn(&[Vec<f64>]) -> Vec<f64>) {
    let mut arguments: Vec<Vec<f64>> =
        arguments.iter().map(|values| values.iter().map(|&v| f64::from(v)).collect()).collect();
    let output = reference(&arguments);
    close(case, "output", &found.output, &output);
    let probe = probe(output.len());
    let objective = |arguments: &[Vec<f64>]| -> f64 {
        reference(arguments).iter().zip(&probe).map(|(y, w)| y * f64::from(*w)).sum()
    };
    assert_eq!(found.gradients.len(), arguments.len());
    for (argument, (name, gradient)) in found.gradients.iter().enumerate() {
        let slopes: Vec<f64> = (0..arguments[argument].len())
            .map(|i| {
                let at = arguments[argument][i];
                arguments[argument][i] = at + H;
                let above = objective(&arguments);
                arguments[argument][i] = at - H;
                let below = objective(&arguments);
                arguments[argument][i] = at;
                (above - below) / (2.0 * H)
            })
            .collect();
        close(case, name, gradient, &slopes);
    }
}

#[track_caller]
fn close(case: &str, what: &str, actual: &[f32], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{case}: {what}");
    let scale = expected.iter().fold(1e-3_f64, |max, v| max.max(v.abs()));
    let worst = actual.iter().zip(expected).map(|(a, e)| (f64::from(*a) - e).abs() / scale);
    let worst = worst.fold(0.0, |max: f64, d| if d.is_nan() { f64::INFINITY } else { max.max(d) });
    println!("{worst:.1e}  {case}: {what}");
    assert!(worst < TOLERANCE, "{case}: {what} is off by {worst:e} of its largest value");
}

/// Abramowitz and Stegun, 7.1.6: a series with positive terms only.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}

fn apply(activation: Activation, x: f64) -> f64 {
    // Differences across a kink would mean nothing; the cases are drawn so that none is near.
    let kinked = matches!(activation, Activation::Relu | Activation::LeakyRelu);
    assert!(!kinked || x.abs() > 2.0 * H, "draw other inputs");
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu => x.max(0.01 * x),
        Activation::Gelu => x * 0.5 * (1.0 + erf(x / 2.0_f64.sqrt())),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}

const ACTIVATIONS: [Activation; 7] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Gelu,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Tanh,
];

#[test]
fn linear_with_each_activation() {
    for activation in ACTIVATIONS {
        for (batch, inputs, outputs) in [(1, 1, 1), (4, 6, 5), (3, 2, 9)] {
            let rng = &mut rng();
            let (x, w, b) =
                (uniform(batch * inputs, rng), uniform(outputs * inputs, rng), uniform(outputs, rng));
            let mut layer = Linear::new("fc", inputs, outputs, rng, &Device::flex());
            let (input, weight, bias) =
                (leaf(&x, [batch, inputs]), leaf(&w, [outputs, inputs]), leaf(&b, [outputs]));
            layer.weight = Param::from_tensor(weight.clone());
            layer.bias = Param::from_tensor(bias.clone());
            let output = layer.forward(input.clone(), activation);
            let gradients = probed(&output).backward();
            let found = Found {
                output: values(output),
                gradients: vec![
                    ("input", values(input.grad(&gradients).unwrap())),
                    ("weight", values(weight.grad(&gradients).unwrap())),
                    ("bias", values(bias.grad(&gradients).unwrap())),
                ],
            };
            check(&format!("linear {inputs}-{outputs}, {activation:?}"), &found, &[&x, &w, &b], &|a| {
                let sums = (0..batch * outputs).map(|at| {
                    let (n, o) = (at / outputs, at % outputs);
                    a[2][o] + (0..inputs).map(|i| a[0][n * inputs + i] * a[1][o * inputs + i]).sum::<f64>()
                });
                sums.map(|sum| apply(activation, sum)).collect()
            });
        }
    }
}

/// PyTorch's definition of `Conv2d`, loop by loop.
fn convolve(
    x: &[f64],
    w: &[f64],
    b: &[f64],
    batch: usize,
    size: [usize; 2],
    config: &Conv2dConfig,
) -> Vec<f64> {
    let Conv2dConfig { inputs, outputs, kernel, stride, padding, dilation, groups } = *config;
    let [height, width] = size;
    let out = |axis: usize| {
        (size[axis] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis] + 1
    };
    let (ins, outs) = (inputs / groups, outputs / groups);
    let mut output = Vec::new();
    for n in 0..batch {
        for o in 0..outputs {
            for (row, column) in (0..out(0)).flat_map(|row| (0..out(1)).map(move |column| (row, column))) {
                let mut sum = b[o];
                for i in 0..ins {
                    for (u, v) in (0..kernel[0]).flat_map(|u| (0..kernel[1]).map(move |v| (u, v))) {
                        let y = (row * stride[0] + u * dilation[0]).wrapping_sub(padding[0]);
                        let z = (column * stride[1] + v * dilation[1]).wrapping_sub(padding[1]);
                        if y < height && z < width {
                            let channel = o / outs * ins + i;
                            sum += x[((n * inputs + channel) * height + y) * width + z]
                                * w[((o * ins + i) * kernel[0] + u) * kernel[1] + v];
                        }
                    }
                }
                output.push(sum);
            }
        }
    }
    output
}

#[test]
fn conv2d_of_many_forms() {
    let plain = Conv2dConfig::square;
    let cases = [
        (plain(1, 2, 1), [3, 4]),
        (plain(2, 3, 3), [5, 6]),
        (plain(2, 3, 3).padding(1), [4, 5]),
        (plain(1, 2, 5).padding(2), [5, 4]),
        // The kernel as large as the picture.
        (plain(2, 2, 4), [4, 4]),
        (Conv2dConfig { kernel: [2, 3], stride: [2, 1], padding: [1, 0], ..plain(2, 3, 1) }, [5, 6]),
        (Conv2dConfig { stride: [2, 3], padding: [2, 1], ..plain(2, 3, 3) }, [6, 7]),
        // A stride that leaves the last rows and columns unread.
        (Conv2dConfig { stride: [2, 2], ..plain(1, 2, 3) }, [6, 8]),
        (Conv2dConfig { dilation: [2, 2], padding: [2, 2], ..plain(2, 2, 3) }, [5, 6]),
        (Conv2dConfig { dilation: [1, 2], stride: [2, 1], ..plain(2, 2, 2) }, [5, 6]),
        (Conv2dConfig { groups: 2, ..plain(4, 6, 3) }, [4, 5]),
        // One filter for each channel.
        (Conv2dConfig { groups: 3, padding: [1, 1], stride: [2, 2], ..plain(3, 3, 3) }, [5, 5]),
        (Conv2dConfig { groups: 2, dilation: [2, 1], padding: [1, 1], ..plain(2, 4, 2) }, [4, 4]),
    ];
    for (number, (config, size)) in cases.into_iter().enumerate() {
        let activation = ACTIVATIONS[number % ACTIVATIONS.len()];
        check_conv2d(config, size, activation);
        check_conv2d(config, size, Activation::Identity);
    }
}

fn check_conv2d(config: Conv2dConfig, size: [usize; 2], activation: Activation) {
    let rng = &mut rng();
    let batch = 2;
    let Conv2dConfig { inputs, outputs, kernel: [kh, kw], groups, .. } = config;
    let (input_shape, weight_shape) = ([batch, inputs, size[0], size[1]], [outputs, inputs / groups, kh, kw]);
    let x = uniform(input_shape.iter().product(), rng);
    let w = uniform(weight_shape.iter().product(), rng);
    let b = uniform(outputs, rng);
    let mut layer = Conv2d::new("conv", config, rng, &Device::flex());
    let (input, weight, bias) = (leaf(&x, input_shape), leaf(&w, weight_shape), leaf(&b, [outputs]));
    layer.weight = Param::from_tensor(weight.clone());
    layer.bias = Param::from_tensor(bias.clone());
    let output = layer.forward(input.clone(), activation);
    let [_, _, height, width] = output.dims();
    assert_eq!(config.output_size(size), Some([height, width]));
    let gradients = probed(&output).backward();
    let found = Found {
        output: values(output),
        gradients: vec![
            ("input", values(input.grad(&gradients).unwrap())),
            ("weight", values(weight.grad(&gradients).unwrap())),
            ("bias", values(bias.grad(&gradients).unwrap())),
        ],
    };
    check(&format!("{config:?}, {activation:?}"), &found, &[&x, &w, &b], &|a| {
        let sums = convolve(&a[0], &a[1], &a[2], batch, size, &config);
        sums.into_iter().map(|sum| apply(activation, sum)).collect()
    });
    if activation == Activation::Identity {
        check_transposed(&layer, size, &x, &found);
    }
}

/// `⟨conv(x), y⟩ = ⟨x, transposed(y)⟩`, so that the gradients of one are values and gradients of the other.
fn check_transposed(layer: &Conv2d, size: [usize; 2], x: &[f32], found: &Found) {
    let [batch, outputs] = [x.len() / (layer.config().inputs * size[0] * size[1]), layer.config().outputs];
    let [height, width] = layer.config().output_size(size).unwrap();
    let shape = [batch, outputs, height, width];
    let y = leaf(&probe(found.output.len()), shape);
    let back = layer.transposed(y.clone(), size);
    let sum = (back.clone() * tensor(x, back.dims())).sum();
    let gradients = sum.backward();
    let bias = values(layer.bias.val());
    let unbiased = found.output.iter().enumerate();
    let unbiased = unbiased.map(|(i, value)| value - bias[i / (height * width) % outputs]).collect();
    let [(_, by_input), (_, by_weight), _] = &found.gradients[..] else { panic!("three gradients") };
    let weight = layer.weight.val().grad(&gradients).unwrap();
    for (what, ours, theirs) in [
        ("value", values(back), by_input),
        ("gradient by its input", values(y.grad(&gradients).unwrap()), &unbiased),
        ("gradient by the weight", values(weight), by_weight),
    ] {
        let theirs: Vec<f64> = theirs.iter().map(|v: &f32| f64::from(*v)).collect();
        close(&format!("transposed, {:?}", layer.config()), what, &ours, &theirs);
    }
}

struct Norm {
    layer: BatchNorm,
    weight: Tensor<1>,
    bias: Tensor<1>,
    values: [Vec<f32>; 4],
}

/// A layer with every parameter and statistic away from its initial value.
fn norm(channels: usize, rng: &mut ChaCha8Rng) -> Norm {
    let (w, b, mean) = (uniform(channels, rng), uniform(channels, rng), uniform(channels, rng));
    let var: Vec<f32> = uniform(channels, rng).iter().map(|v| v.abs() + 0.5).collect();
    let mut layer = BatchNorm::new("bn", channels, &Device::flex());
    let (weight, bias) = (leaf(&w, [channels]), leaf(&b, [channels]));
    layer.weight = Param::from_tensor(weight.clone());
    layer.bias = Param::from_tensor(bias.clone());
    layer.running_mean = RunningState::new(tensor(&mean, [channels]));
    layer.running_var = RunningState::new(tensor(&var, [channels]));
    Norm { layer, weight, bias, values: [w, b, mean, var] }
}

/// The mean, and the mean squared distance from it, of each channel of `[batch, channels, positions]`.
fn moments(x: &[f64], shape: [usize; 3]) -> Vec<(f64, f64)> {
    let [batch, channels, positions] = shape;
    let count = (batch * positions) as f64;
    let of = |channel: usize| {
        (0..batch * positions)
            .map(move |i| x[(i / positions * channels + channel) * positions + i % positions])
    };
    let channel = |channel| {
        let mean = of(channel).sum::<f64>() / count;
        (mean, of(channel).map(|v| (v - mean).powi(2)).sum::<f64>() / count)
    };
    (0..channels).map(channel).collect()
}

fn normalize(a: &[Vec<f64>], moments: &[(f64, f64)], [_, channels, positions]: [usize; 3]) -> Vec<f64> {
    let value = |(i, x): (usize, &f64)| {
        let channel = i / positions % channels;
        let (mean, var) = moments[channel];
        (x - mean) / (var + 1e-5).sqrt() * a[1][channel] + a[2][channel]
    };
    a[0].iter().enumerate().map(value).collect()
}

const NORM_SHAPES: [[usize; 3]; 4] = [[8, 4, 1], [2, 3, 5], [5, 1, 1], [3, 2, 16]];

#[test]
fn batch_norm_in_training() {
    for shape in NORM_SHAPES {
        let rng = &mut rng();
        let Norm { layer, weight, bias, values: [w, b, mean, var] } = norm(shape[1], rng);
        let x = uniform(shape.iter().product(), rng);
        let input = leaf(&x, shape);
        let output = layer.forward(input.clone(), true);
        let gradients = probed(&output).backward();
        let found = Found {
            output: values(output),
            gradients: vec![
                ("input", values(input.grad(&gradients).unwrap())),
                ("weight", values(weight.grad(&gradients).unwrap())),
                ("bias", values(bias.grad(&gradients).unwrap())),
            ],
        };
        check(&format!("batch norm, training, {shape:?}"), &found, &[&x, &w, &b], &|a| {
            normalize(a, &moments(&a[0], shape), shape)
        });

        // PyTorch: momentum 0.1, and the variance that is recorded is the unbiased one.
        let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        let count = (shape[0] * shape[2]) as f64;
        let (means, vars): (Vec<f64>, Vec<f64>) = moments(&x, shape)
            .iter()
            .zip(mean.iter().zip(&var))
            .map(|((m, v), (mean, var))| {
                (0.9 * f64::from(*mean) + 0.1 * m, 0.9 * f64::from(*var) + 0.1 * v * count / (count - 1.0))
            })
            .unzip();
        close("batch norm", "running mean", &values(layer.running_mean.value_sync()), &means);
        close("batch norm", "running variance", &values(layer.running_var.value_sync()), &vars);
    }
}

#[test]
fn batch_norm_in_evaluation() {
    for shape in NORM_SHAPES {
        let rng = &mut rng();
        let Norm { layer, weight, bias, values: [w, b, mean, var] } = norm(shape[1], rng);
        let x = uniform(shape.iter().product(), rng);
        let input = leaf(&x, shape);
        let output = layer.forward(input.clone(), false);
        let gradients = probed(&output).backward();
        let found = Found {
            output: values(output),
            gradients: vec![
                ("input", values(input.grad(&gradients).unwrap())),
                ("weight", values(weight.grad(&gradients).unwrap())),
                ("bias", values(bias.grad(&gradients).unwrap())),
            ],
        };
        let moments: Vec<(f64, f64)> =
            mean.iter().zip(&var).map(|(m, v)| (f64::from(*m), f64::from(*v))).collect();
        check(&format!("batch norm, evaluation, {shape:?}"), &found, &[&x, &w, &b], &|a| {
            normalize(a, &moments, shape)
        });
        let affine = layer.affine().map(|channel| channel.reshape([1, shape[1], 1]));
        let [scale, offset] = affine;
        let expected: Vec<f64> = found.output.iter().map(|v| f64::from(*v)).collect();
        close("batch norm", "scale and offset", &values(input * scale + offset), &expected);
        assert_eq!(values(layer.running_mean.value_sync()), mean);
        assert_eq!(values(layer.running_var.value_sync()), var);
    }
}

/// One example has no variance; PyTorch refuses it, here it normalizes to the shift alone.
#[test]
fn batch_norm_of_one_value_is_finite() {
    let Norm { layer, values: [_, b, ..], .. } = norm(3, &mut rng());
    let output = layer.forward(tensor(&[5.0, -5.0, 0.0], [1, 3, 1]), true);
    assert_eq!(values(output), b);
    assert!(values(layer.running_var.value_sync()).iter().all(|v| v.is_finite() && *v > 0.0));
}

#[test]
fn dropout_with_a_fixed_stream() {
    for (probability, shape) in [(0.5, [6, 7]), (0.2, [1, 40]), (0.0, [3, 4])] {
        let rng = &mut rng();
        let x = uniform(shape[0] * shape[1], rng);
        let input = leaf(&x, shape);
        let output =
            Dropout::new("drop", probability).forward(input.clone(), &mut ChaCha8Rng::seed_from_u64(9));
        let gradients = probed(&output).backward();
        let found = Found {
            output: values(output),
            gradients: vec![("input", values(input.grad(&gradients).unwrap()))],
        };
        let mut stream = ChaCha8Rng::seed_from_u64(9);
        let keep = 1.0 - probability;
        let mut is_kept = || f64::from(stream.random::<u32>()) < keep * 2f64.powi(32);
        let mask: Vec<f64> = (0..x.len()).map(|_| if is_kept() { 1.0 / keep } else { 0.0 }).collect();
        check(&format!("dropout {probability}"), &found, &[&x], &|a| {
            a[0].iter().zip(&mask).map(|(x, mask)| x * mask).collect()
        });
    }
}

#[test]
fn dropout_keeps_the_mean() {
    let ones = Tensor::<2>::ones([100, 100], &Device::flex());
    for probability in [0.1, 0.5, 0.9] {
        let output = Dropout::new("drop", probability).forward(ones.clone(), &mut rng());
        let mean = f64::from(output.mean().into_scalar::<f32>());
        // Four standard errors of 10,000 independent units.
        let error = 4.0 * (probability / (1.0 - probability)).sqrt() / 100.0;
        assert!((mean - 1.0).abs() < error, "{probability}: {mean}");
    }
}

/// The values of each window of `[batch · channels, height, width]`, row by row.
fn windows(x: &[f64], planes: usize, [height, width]: [usize; 2], size: usize) -> Vec<Vec<f64>> {
    let mut windows = Vec::new();
    for plane in 0..planes {
        for (row, column) in (0..height / size).flat_map(|row| (0..width / size).map(move |c| (row, c))) {
            let inside = (0..size * size).map(|i| {
                let (y, z) = (row * size + i / size, column * size + i % size);
                x[(plane * height + y) * width + z]
            });
            windows.push(inside.collect());
        }
    }
    windows
}

const POOLS: [([usize; 4], usize); 4] =
    [([2, 3, 4, 6], 2), ([1, 2, 5, 7], 2), ([2, 1, 6, 9], 3), ([2, 2, 3, 3], 1)];

#[test]
fn max_pool() {
    for (shape, size) in POOLS {
        let x = uniform(shape.iter().product(), &mut rng());
        let input = leaf(&x, shape);
        let output = MaxPool2d::new("pool", size).forward(input.clone());
        let gradients = probed(&output).backward();
        let found = Found {
            output: values(output),
            gradients: vec![("input", values(input.grad(&gradients).unwrap()))],
        };
        check(&format!("max pool {size} of {shape:?}"), &found, &[&x], &|a| {
            let windows = windows(&a[0], shape[0] * shape[1], [shape[2], shape[3]], size);
            windows.iter().map(|window| window.iter().copied().fold(f64::NEG_INFINITY, f64::max)).collect()
        });
    }
}

#[test]
fn avg_pool() {
    for (shape, size) in POOLS {
        let x = uniform(shape.iter().product(), &mut rng());
        let input = leaf(&x, shape);
        let output = AvgPool2d::new("pool", size).forward(input.clone());
        let gradients = probed(&output).backward();
        let found = Found {
            output: values(output),
            gradients: vec![("input", values(input.grad(&gradients).unwrap()))],
        };
        check(&format!("average pool {size} of {shape:?}"), &found, &[&x], &|a| {
            let windows = windows(&a[0], shape[0] * shape[1], [shape[2], shape[3]], size);
            windows.iter().map(|window| window.iter().sum::<f64>() / window.len() as f64).collect()
        });
    }
}
