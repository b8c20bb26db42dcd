use super::*;
use burn::tensor::{Device, TensorData, Tolerance};

fn rules() -> Vec<Rule> {
    let sgd = |momentum, nesterov, weight_decay| Rule::Sgd { lr: 0.1, momentum, nesterov, weight_decay };
    let adam = |weight_decay, decoupled, amsgrad, time| Rule::Adam {
        lr: 0.02,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weight_decay,
        decoupled,
        amsgrad,
        time,
    };
    let rmsprop = |momentum, centered, weight_decay| Rule::Rmsprop {
        lr: 0.01,
        alpha: 0.9,
        eps: 1e-3,
        momentum,
        centered,
        weight_decay,
    };
    vec![
        sgd(0.0, false, 0.0),
        sgd(0.0, false, 0.1),
        sgd(0.9, false, 0.0),
        sgd(0.9, true, 0.1),
        adam(0.0, false, false, 1),
        adam(0.1, false, true, 2),
        adam(0.1, true, false, 70),
        adam(0.1, true, true, 100_000),
        rmsprop(0.0, false, 0.0),
        rmsprop(0.8, false, 0.1),
        rmsprop(0.0, true, 0.0),
        rmsprop(0.8, true, 0.1),
        Rule::Adagrad { lr: 0.05, eps: 1e-10, weight_decay: 0.0 },
        Rule::Adagrad { lr: 0.05, eps: 1e-10, weight_decay: 0.1 },
        Rule::Lion { lr: 0.01, beta1: 0.9, beta2: 0.99, weight_decay: 0.0 },
        Rule::Lion { lr: 0.01, beta1: 0.7, beta2: 0.8, weight_decay: 0.3 },
    ]
}

/// The rules as they are published, for one weight, in float64.
fn by_definition(rule: Rule, w: f64, g: f64, memory: &[f64]) -> Vec<f64> {
    match rule {
        Rule::Sgd { lr, momentum, nesterov, weight_decay } => {
            let g = g + weight_decay * w;
            let Some(&v) = memory.first() else { return vec![w - lr * g] };
            let v = momentum * v + g;
            vec![w - lr * if nesterov { g + momentum * v } else { v }, v]
        }
        Rule::Adam { lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad, time } => {
            let g = if decoupled { g } else { g + weight_decay * w };
            let w = if decoupled { w - lr * weight_decay * w } else { w };
            let m = beta1 * memory[0] + (1.0 - beta1) * g;
            let v = beta2 * memory[1] + (1.0 - beta2) * g * g;
            let largest = if amsgrad { v.max(memory[2]) } else { v };
            let corrected = |mean: f64, beta: f64| mean / (1.0 - beta.powi(time as i32));
            let w = w - lr * corrected(m, beta1) / (corrected(largest, beta2).sqrt() + eps);
            if amsgrad { vec![w, m, v, largest] } else { vec![w, m, v] }
        }
        Rule::Rmsprop { lr, alpha, eps, momentum, centered, weight_decay } => {
            let g = g + weight_decay * w;
            let mut after = vec![0.0, alpha * memory[0] + (1.0 - alpha) * g * g];
            let mut variance = after[1];
            if centered {
                let mean = alpha * memory[1] + (1.0 - alpha) * g;
                variance -= mean * mean;
                after.push(mean);
            }
            let mut step = g / (variance.sqrt() + eps);
            if momentum != 0.0 {
                step += momentum * memory.last().unwrap();
                after.push(step);
            }
            after[0] = w - lr * step;
            after
        }
        Rule::Adagrad { lr, eps, weight_decay } => {
            let g = g + weight_decay * w;
            let sum = memory[0] + g * g;
            vec![w - lr * g / (sum.sqrt() + eps), sum]
        }
        Rule::Lion { lr, beta1, beta2, weight_decay } => {
            let direction = beta1 * memory[0] + (1.0 - beta1) * g;
            let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
            vec![w - lr * (sign + weight_decay * w), beta2 * memory[0] + (1.0 - beta2) * g]
        }
    }
}

/// Numbers of [−1, 1), other ones for each `salt`.
fn numbers(length: usize, salt: usize) -> Vec<f32> {
    (0..length).map(|i| ((i + 31 * salt) * 7919 % 20_011) as f32 / 10_005.5 - 1.0).collect()
}

/// Weights, gradient and memory as a rule may find them: what adds up squares is not negative, and a centred mean
/// square is above the squared mean.
fn inputs(rule: Rule, length: usize) -> (Vec<f32>, Vec<f32>, Vec<Vec<f32>>) {
    let mut memory: Vec<Vec<f32>> = (0..rule.memory()).map(|k| numbers(length, k + 3)).collect();
    let squares = match rule {
        Rule::Sgd { .. } | Rule::Lion { .. } => 0..0,
        Rule::Adam { .. } => 1..rule.memory(),
        Rule::Rmsprop { .. } | Rule::Adagrad { .. } => 0..1,
    };
    memory[squares].iter_mut().flatten().for_each(|x| *x = x.abs() + 1.5);
    (numbers(length, 1), numbers(length, 2), memory)
}

fn tensor(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn step(rule: Rule, length: [usize; 2], device: &Device) -> Vec<Tensor<2>> {
    let (w, g, memory) = inputs(rule, length[0] * length[1]);
    let memory = memory.iter().map(|values| tensor(values, length, device)).collect();
    let (w, memory) = optimizer_step(rule, tensor(&w, length, device), tensor(&g, length, device), memory);
    iter::once(w).chain(memory).collect()
}

fn bits(tensors: &[Tensor<2>]) -> Vec<u32> {
    let values = |tensor: &Tensor<2>| tensor.to_data().try_to_vec::<f32>().unwrap();
    tensors.iter().flat_map(values).map(f32::to_bits).collect()
}

const SHAPES: [[usize; 2]; 6] = [[0, 3], [1, 1], [5, 7], [1, 16], [13, 29], [300, 257]];

#[test]
fn agree_with_the_definitions_in_float64_and_with_burn() {
    let device = Device::flex();
    for rule in rules() {
        for shape in SHAPES {
            let (w, g, memory) = inputs(rule, shape[0] * shape[1]);
            let actual = step(rule, shape, &device);
            let values: Vec<Vec<f32>> =
                actual.iter().map(|t| t.to_data().try_to_vec::<f32>().unwrap()).collect();
            for i in 0..w.len() {
                let before: Vec<f64> = memory.iter().map(|values| values[i].into()).collect();
                let expected = by_definition(rule, w[i].into(), g[i].into(), &before);
                assert_eq!(expected.len(), values.len());
                for (k, expected) in expected.into_iter().enumerate() {
                    let actual = f64::from(values[k][i]);
                    // Relative to the terms, which are near 1, where they cancel.
                    let limit = 1e-5 * expected.abs().max(0.1);
                    assert!((actual - expected).abs() < limit, "{rule:?} {k}: {actual}, not {expected}");
                }
            }
            // Under autodiff stands the default of Burn's operations.
            let plain = step(rule, shape, &Device::flex().autodiff());
            for (actual, plain) in actual.iter().zip(plain) {
                let tolerance = Tolerance::<f32>::rel_abs(1e-5, 1e-6);
                actual.to_data().assert_approx_eq(&plain.to_data(), tolerance);
            }
        }
    }
}

#[test]
fn gradients_and_memory_of_any_layout() {
    let device = Device::flex();
    for rule in rules() {
        let shape = [13, 29];
        let (w, g, memory) = inputs(rule, 13 * 29);
        let strided = |values: &[f32]| tensor(values, shape, &device).transpose().mul_scalar(1.0).transpose();
        let memory = memory.iter().map(|values| strided(values)).collect();
        let (w, memory) = optimizer_step(rule, tensor(&w, shape, &device), strided(&g), memory);
        let actual: Vec<_> = iter::once(w).chain(memory).collect();
        assert_eq!(bits(&actual), bits(&step(rule, shape, &device)), "{rule:?}");
    }
}

#[test]
fn shared_tensors_are_left_alone() {
    let device = Device::flex();
    for rule in rules() {
        let shape = [5, 7];
        let (w, g, memory) = inputs(rule, 35);
        let before: Vec<_> =
            iter::once(&w).chain(&memory).chain([&g]).map(|values| tensor(values, shape, &device)).collect();
        let expected = bits(&before);
        let memory = before[1..=memory.len()].to_vec();
        let (w, memory) = optimizer_step(rule, before[0].clone(), before.last().unwrap().clone(), memory);
        let actual: Vec<_> = iter::once(w).chain(memory).collect();
        assert_eq!(bits(&actual), bits(&step(rule, shape, &device)), "{rule:?}");
        assert_eq!(bits(&before), expected, "{rule:?}");
    }
}

#[test]
fn the_same_bytes_on_any_number_of_threads_and_again() {
    for rule in rules() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bits(&step(rule, [401, 257], &Device::flex())))
        };
        let one = on(1);
        assert!(one == on(2) && one == on(2), "{rule:?}");
    }
}

/// What float64's arithmetic makes NaN or infinite is so here, and nothing else.
#[test]
fn nan_and_infinities() {
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.5];
    for rule in rules() {
        let columns = special.len();
        let (w, _, memory) = inputs(rule, columns);
        for device in [Device::flex(), Device::flex().autodiff()] {
            let memory_tensors = memory.iter().map(|values| tensor(values, [1, columns], &device)).collect();
            let gradient = tensor(&special, [1, columns], &device);
            let (stepped, after) =
                optimizer_step(rule, tensor(&w, [1, columns], &device), gradient, memory_tensors);
            let after: Vec<Vec<f32>> = iter::once(stepped)
                .chain(after)
                .map(|tensor| tensor.to_data().try_to_vec::<f32>().unwrap())
                .collect();
            for i in 0..columns {
                let before: Vec<f64> = memory.iter().map(|values| values[i].into()).collect();
                let expected = by_definition(rule, w[i].into(), special[i].into(), &before);
                for (k, expected) in expected.into_iter().enumerate() {
                    // `f64::max` drops the NaN that the largest v keeps, and `signum` keeps the one that becomes 0.
                    let excepted = special[i].is_nan()
                        && match rule {
                            Rule::Adam { amsgrad: true, .. } => k == 0 || k == 3,
                            Rule::Lion { .. } => k == 0,
                            _ => false,
                        };
                    let actual = after[k][i];
                    if excepted {
                        let sign_of_nan = matches!(rule, Rule::Lion { .. });
                        assert_eq!(actual.is_nan(), !sign_of_nan, "{rule:?} {k} at {i}");
                    } else if expected.is_finite() {
                        assert!(actual.is_finite(), "{rule:?} {k} at {i}: {actual}, not {expected}");
                    } else {
                        let same = actual.is_nan() && expected.is_nan() || f64::from(actual) == expected;
                        assert!(same, "{rule:?} {k} at {i}: {actual}, not {expected}");
                    }
                }
            }
        }
    }
}
