use std::ops::{Add, Div, Mul, Sub};

use burn::tensor::Tensor;
use crucible_kernels::{Rule, optimizer_step};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::input::{Input, batch, input, size, special};
use crate::property::{check, same_kind, values};

#[derive(Debug)]
struct Case {
    rule: Rule,
    weights: Input<2>,
    gradient: Input<2>,
    /// More than any rule remembers.
    memory: Vec<Input<2>>,
}

fn rules() -> impl Strategy<Value = Rule> {
    let lr = || 1e-3..0.5f64;
    let mean = || 0.5..0.999f64;
    let or_none = |range| prop_oneof![Just(0.0), range];
    let eps = || prop::sample::select(vec![1e-3, 1e-8, 1e-10]);
    let decay = || or_none(0.01..0.3f64);
    prop_oneof![
        (lr(), or_none(mean()), any::<bool>(), decay()).prop_map(|(lr, momentum, nesterov, weight_decay)| {
            Rule::Sgd { lr, momentum, nesterov, weight_decay }
        }),
        ((lr(), mean(), mean(), eps(), decay()), any::<[bool; 2]>(), prop_oneof![1..9u64, 1000..100_000u64])
            .prop_map(|((lr, beta1, beta2, eps, weight_decay), [decoupled, amsgrad], time)| {
                Rule::Adam { lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad, time }
            }),
        (lr(), mean(), eps(), or_none(mean()), any::<bool>(), decay()).prop_map(
            |(lr, alpha, eps, momentum, centered, weight_decay)| {
                Rule::Rmsprop { lr, alpha, eps, momentum, centered, weight_decay }
            }
        ),
        (lr(), eps(), decay()).prop_map(|(lr, eps, weight_decay)| Rule::Adagrad { lr, eps, weight_decay }),
        (lr(), mean(), mean(), decay()).prop_map(|(lr, beta1, beta2, weight_decay)| Rule::Lion {
            lr,
            beta1,
            beta2,
            weight_decay
        }),
    ]
}

impl Case {
    /// Weights, gradient and memory as a rule may find them: what adds up squares is not negative, and a centred mean
    /// square is above the squared mean.
    fn tensors(&self) -> Vec<Tensor<2>> {
        let mut memory: Vec<_> = self.memory[..self.rule.memory()].iter().map(Input::view).collect();
        let squares = match self.rule {
            Rule::Sgd { .. } | Rule::Lion { .. } => 0..0,
            Rule::Adam { .. } => 1..memory.len(),
            Rule::Rmsprop { .. } | Rule::Adagrad { .. } => 0..1,
        };
        for tensor in &mut memory[squares] {
            *tensor = tensor.clone().abs();
        }
        if let Rule::Rmsprop { centered: true, .. } = self.rule {
            memory[0] = memory[0].clone() + memory[1].clone().square() * 2.0;
        }
        [self.weights.view(), self.gradient.view()].into_iter().chain(memory).collect()
    }
}

/// The weights and the memory after a step.
fn step(rule: Rule, mut tensors: Vec<Tensor<2>>) -> Vec<Vec<f64>> {
    let memory = tensors.split_off(2);
    let [weights, gradient] = tensors.try_into().unwrap();
    let (weights, memory) = optimizer_step(rule, weights, gradient, memory);
    [weights].into_iter().chain(memory).map(|tensor| values(tensor.inner())).collect()
}

/// A number, and the sum of magnitudes that its error is relative to.
#[derive(Debug, Clone, Copy)]
struct Number {
    value: f64,
    size: f64,
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self { value, size: value.abs() }
    }
}

impl Add for Number {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, size: self.size + other.size }
    }
}

impl Sub for Number {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, size: self.size + other.size }
    }
}

impl Mul<f64> for Number {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self { value: self.value * factor, size: self.size * factor.abs() }
    }
}

impl Div for Number {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        // Both relative errors.
        let size = self.size / other.value.abs() * (other.size / other.value.abs()).max(1.0);
        Self { value: self.value / other.value, size }
    }
}

impl Number {
    fn square(self) -> Self {
        Self { value: self.value * self.value, size: self.size * self.size }
    }

    fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        Self { value, size: if self.value == 0.0 { 0.0 } else { self.size / value } }
    }

    fn sign(self) -> Self {
        let sign = f64::from(self.value > 0.0) - f64::from(self.value < 0.0);
        // Nothing is known of the sign of what rounding moves over zero.
        let unsure = self.value.abs() <= 1e-6 * self.size && self.size > 0.0;
        Self { value: sign, size: if unsure { f64::INFINITY } else { 1.0 } }
    }
}

/// `decay · mean + (1 − decay) · value`.
fn blend(decay: f64, mean: Number, value: Number) -> Number {
    mean * decay + value * (1.0 - decay)
}

/// The rules as they are published, for one weight, in float64.
fn by_definition(rule: Rule, w: Number, g: Number, memory: &[Number]) -> Vec<Number> {
    let regularized = |decay: f64| if decay == 0.0 { g } else { g + w * decay };
    let kept = |lr: f64, decay: f64| w * (1.0 - lr * decay);
    match rule {
        Rule::Sgd { lr, momentum, nesterov, weight_decay } => {
            let g = regularized(weight_decay);
            let Some(&v) = memory.first() else { return vec![w - g * lr] };
            let v = v * momentum + g;
            vec![w - if nesterov { g + v * momentum } else { v } * lr, v]
        }
        Rule::Adam { lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad, time } => {
            let (g, w) = if decoupled { (g, kept(lr, weight_decay)) } else { (regularized(weight_decay), w) };
            let (m, v) = (blend(beta1, memory[0], g), blend(beta2, memory[1], g.square()));
            let largest = match memory.get(2) {
                Some(before) if v.value < before.value => *before,
                _ => v,
            };
            let corrected = |mean: Number, beta: f64| mean * (1.0 / (1.0 - beta.powf(time as f64)));
            let step = corrected(m, beta1) / (corrected(largest, beta2).sqrt() + eps.into());
            let after = [w - step * lr, m, v, largest];
            after[..if amsgrad { 4 } else { 3 }].to_vec()
        }
        Rule::Rmsprop { lr, alpha, eps, momentum, centered, weight_decay } => {
            let g = regularized(weight_decay);
            let v = blend(alpha, memory[0], g.square());
            let mean = centered.then(|| blend(alpha, memory[1], g));
            let variance = mean.map_or(v, |mean| v - mean.square());
            let step = g / (variance.sqrt() + eps.into());
            let steps = (momentum != 0.0).then(|| memory[memory.len() - 1] * momentum + step);
            [w - steps.unwrap_or(step) * lr, v].into_iter().chain(mean).chain(steps).collect()
        }
        Rule::Adagrad { lr, eps, weight_decay } => {
            let g = regularized(weight_decay);
            let sum = memory[0] + g.square();
            vec![w - g / (sum.sqrt() + eps.into()) * lr, sum]
        }
        Rule::Lion { lr, beta1, beta2, weight_decay } => {
            let sign = blend(beta1, memory[0], g).sign();
            vec![kept(lr, weight_decay) - sign * lr, blend(beta2, memory[0], g)]
        }
    }
}

/// What a step should give: values and sizes of each tensor.
fn expected(rule: Rule, tensors: &[Tensor<2>]) -> Vec<(Vec<f64>, Vec<f64>)> {
    let before: Vec<_> = tensors.iter().map(|tensor| values(tensor.clone())).collect();
    let mut found = vec![(Vec::new(), Vec::new()); tensors.len() - 1];
    for i in 0..before[0].len() {
        let numbers: Vec<Number> = before.iter().map(|values| values[i].into()).collect();
        let after = by_definition(rule, numbers[0], numbers[1], &numbers[2..]);
        for ((values, sizes), Number { value, size }) in found.iter_mut().zip(after) {
            values.push(value);
            sizes.push(size);
        }
    }
    found
}

fn cases() -> impl Strategy<Value = Case> {
    (rules(), batch(), size()).prop_flat_map(|(rule, rows, columns)| {
        let input = move || input([rows, columns]);
        (input(), input(), vec(input(), 3)).prop_map(move |(weights, gradient, memory)| Case {
            rule,
            weights,
            gradient,
            memory,
        })
    })
}

#[test]
fn agrees_with_the_definitions_and_with_burn() {
    check("optimizer_step", 192, cases(), |case, errors| {
        let tensors = case.tensors();
        // Under autodiff stands the default of Burn's operations.
        let plain = step(case.rule, tensors.iter().map(|tensor| tensor.clone().autodiff()).collect());
        let expected = expected(case.rule, &tensors);
        let actual = step(case.rule, tensors);
        prop_assert_eq!(actual.len(), expected.len());
        for (i, (exact, sizes)) in expected.iter().enumerate() {
            let what = if i == 0 { "weights" } else { "memory" };
            errors.compare(what, &actual[i], exact, sizes)?;
            errors.compare("Burn's operations", &plain[i], exact, sizes)?;
        }
        Ok(())
    });
}

#[test]
fn nan_and_infinities() {
    let cases = (rules(), batch(), size()).prop_flat_map(|(rule, rows, columns)| {
        let input = move || special([rows, columns]);
        (input(), input(), vec(input(), 3)).prop_map(move |(weights, gradient, memory)| Case {
            rule,
            weights,
            gradient,
            memory,
        })
    });
    check("optimizer_step", 192, cases, |case, _| {
        let tensors = case.tensors();
        let expected = expected(case.rule, &tensors);
        let plain = step(case.rule, tensors.iter().map(|tensor| tensor.clone().autodiff()).collect());
        for (i, actual) in step(case.rule, tensors).iter().enumerate() {
            same_kind("by definition", actual, &expected[i].0)?;
            same_kind("Burn's operations", &plain[i], &expected[i].0)?;
        }
        Ok(())
    });
}
