//! Steps between two integers, which are learned.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use crucible_models::{
    Value,
    weights::{self, HostTensor, State},
};
use crucible_train::Moment;

use super::{
    Prepared, WeightFormat,
    prepared::{Ranges, Scales, source},
};
use crate::{Archive, CompressError, parameters::parameter};

/// The rate at which the logarithms of steps are learned at first; it falls to zero with the job's progress.
const LR: f64 = 1e-3;
const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// The steps of a network's weights and activations, and Adam's memory of them.
#[derive(Debug, Clone)]
pub(super) struct Steps(BTreeMap<String, Step>);

#[derive(Debug, Clone)]
struct Step {
    /// `[channels, groups]`, and `[1, 1]` for an activation.
    shape: [usize; 2],
    /// Logarithm, mean and square of each.
    parts: [Vec<f32>; 3],
}

const PARTS: [&str; 3] = ["log", "mean", "square"];

impl Steps {
    /// The name of a layer's weight's.
    pub(super) fn of_weight(layer: &str) -> String {
        format!("weight/{layer}")
    }

    /// The name of an activation's.
    pub(super) fn of_value(name: &str) -> String {
        format!("value/{name}")
    }

    /// Those that rounding to the nearest has, of the weights and of the activations that are `held` in bytes.
    pub(super) fn new(prepared: &Prepared, held: &BTreeSet<String>) -> Self {
        let state = weights::collect(prepared.network());
        let mut steps = BTreeMap::new();
        for node in &prepared.graph.nodes {
            let Some(format) = prepared.formats().get(&node.name) else { continue };
            let weight = &state[&parameter(node, "weight")];
            let scales = format.scales(weight);
            let channels = weight.shape[0];
            let shape = [channels, scales.len() / channels.max(1)];
            steps.insert(Self::of_weight(&node.name), Step::new(shape, &scales));
        }
        let nodes = (0..prepared.graph.nodes.len()).map(Value::Node);
        for value in [Value::Input].into_iter().chain(nodes) {
            if held.contains(prepared.graph.name(value)) {
                let name = prepared.graph.name(source(&prepared.graph, value));
                let scale = prepared.values[name].scale;
                steps.insert(Self::of_value(name), Step::new([1, 1], &[scale]));
            }
        }
        Self(steps)
    }

    /// The logarithms as leaves of autodiff.
    pub(super) fn leaves(&self, device: &Device) -> BTreeMap<String, Tensor<2>> {
        let leaf = |step: &Step| {
            let data = TensorData::new(step.parts[0].clone(), step.shape);
            Tensor::from_data(data, device).require_grad()
        };
        self.0.iter().map(|(name, step)| (name.clone(), leaf(step))).collect()
    }

    /// Adds the gradients of the leaves to those of other parts of a batch.
    pub(super) fn add(
        &self,
        leaves: &BTreeMap<String, Tensor<2>>,
        gradients: &Gradients,
        sums: &mut BTreeMap<String, Vec<f32>>,
    ) {
        for (name, leaf) in leaves {
            let Some(gradient) = leaf.grad(gradients) else { continue };
            let gradient = gradient.into_data().try_to_vec::<f32>().expect("networks here hold f32");
            let sum = sums.entry(name.clone()).or_insert_with(|| vec![0.0; gradient.len()]);
            sum.iter_mut().zip(gradient).for_each(|(sum, gradient)| *sum += gradient);
        }
    }

    /// One step of Adam.
    pub(super) fn learn(&mut self, gradients: &BTreeMap<String, Vec<f32>>, moment: Moment) {
        let time = i32::try_from(moment.step).unwrap_or(i32::MAX);
        let lr = LR * (1.0 - moment.progress);
        for (name, step) in &mut self.0 {
            let Some(gradients) = gradients.get(name) else { continue };
            let [logs, means, squares] = &mut step.parts;
            for (((log, mean), square), gradient) in logs.iter_mut().zip(means).zip(squares).zip(gradients) {
                let mix = |old: f32, new: f64, beta: f64| (beta * f64::from(old) + (1.0 - beta) * new) as f32;
                let gradient = f64::from(*gradient);
                *mean = mix(*mean, gradient, BETAS[0]);
                *square = mix(*square, gradient * gradient, BETAS[1]);
                let [first, second] = [(*mean, BETAS[0]), (*square, BETAS[1])]
                    .map(|(value, beta)| f64::from(value) / (1.0 - beta.powi(time)));
                *log -= (lr * first / (second.sqrt() + EPSILON)) as f32;
            }
        }
    }

    /// The scales of the weights that are to be quantized.
    pub(super) fn scales(&self, prepared: &Prepared) -> Scales {
        let step = |layer: &String| Some((layer.clone(), self.0.get(&Self::of_weight(layer))?.scales()));
        prepared.formats().keys().filter_map(step).collect()
    }

    /// How activations are held by these steps.
    fn values(&self, prepared: &Prepared) -> Ranges {
        let mut values = prepared.values.clone();
        let nodes = (0..prepared.graph.nodes.len()).map(Value::Node);
        for value in [Value::Input].into_iter().chain(nodes) {
            let source = prepared.graph.name(source(&prepared.graph, value));
            if let Some(step) = self.0.get(&Self::of_value(source))
                && let Some(affine) = values.get_mut(prepared.graph.name(value))
            {
                affine.scale = step.scales()[0];
            }
        }
        values
    }

    pub(super) fn state(&self) -> State {
        let part = |(name, step): (&String, &Step)| {
            let tensor =
                |values: &Vec<f32>| HostTensor { shape: step.shape.to_vec(), values: values.clone() };
            let parts = PARTS.iter().zip(&step.parts);
            parts.map(|(part, values)| (format!("{part}/{name}"), tensor(values))).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(part).collect()
    }

    pub(super) fn restore(&mut self, state: &State) -> Result<(), String> {
        let mut left: BTreeSet<&String> = state.keys().collect();
        for (name, step) in &mut self.0 {
            for (part, values) in PARTS.iter().zip(&mut step.parts) {
                let full = format!("{part}/{name}");
                let saved = state.get(&full).filter(|saved| saved.shape == step.shape);
                let saved =
                    saved.ok_or_else(|| format!("the step `{full}` is missing or of another shape"))?;
                if !saved.values.iter().all(|value| value.is_finite()) {
                    return Err(format!("the step `{full}` is not finite"));
                }
                values.clone_from(&saved.values);
                left.remove(&full);
            }
        }
        match left.first() {
            Some(name) => Err(format!("the step `{name}` belongs to another network")),
            None => Ok(()),
        }
    }
}

impl Step {
    fn new(shape: [usize; 2], scales: &[f32]) -> Self {
        let zeros = vec![0.0; scales.len()];
        Self { shape, parts: [scales.iter().map(|scale| scale.ln()).collect(), zeros.clone(), zeros] }
    }

    fn scales(&self) -> Vec<f32> {
        self.parts[0].iter().map(|log| log.exp().clamp(f32::MIN_POSITIVE, f32::MAX)).collect()
    }
}

impl Prepared {
    /// The network whose weights were trained by a [`QuantizationAware`](super::QuantizationAware), which learned these
    /// steps.
    ///
    /// # Errors
    ///
    /// Where the steps are not this network's.
    pub fn trained(&self, state: State, steps: &State) -> Result<Archive, CompressError> {
        let mut learned = Steps::new(self, &self.held()?);
        learned.restore(steps).map_err(|problem| CompressError::Steps { problem })?;
        let values = learned.values(self);
        let tensors = self.stored(&state, self.formats(), &values, &learned.scales(self));
        self.packed(state, tensors, values)
    }
}

/// A weight `[channels, inputs]` as integers of steps, given as logarithms `[channels, groups]`, times the steps.
pub(super) fn hold_weight(weight: Tensor<2>, log: Tensor<2>, format: WeightFormat) -> Tensor<2> {
    let ([channels, inputs], groups) = (weight.dims(), log.dims()[1]);
    let (group, largest) = (format.group(inputs), format.largest());
    let step = log.exp().reshape([channels, groups, 1]).expand([channels, groups, group]);
    let step = step.reshape([channels, groups * group]).slice([0..channels, 0..inputs]);
    let integers = nearest((weight / step.clone()).clamp(-largest, largest));
    integers * step
}

/// Activations as integers from 0 to 255 of one step, given as its logarithm `[1, 1]`, less `zero`, times the step.
pub(super) fn hold(values: Tensor<2>, log: Tensor<2>, zero: u8) -> Tensor<2> {
    let (step, zero) = (log.exp(), f32::from(zero));
    let integers = nearest((values / step.clone() + zero).clamp(0.0, 255.0));
    (integers - zero) * step
}

/// The nearest integer, whose derivative is taken for 1.
fn nearest(values: Tensor<2>) -> Tensor<2> {
    let rest = values.clone().round() - values.clone();
    values + rest.detach()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32], shape: [usize; 2]) -> Tensor<2> {
        let device = Device::flex().autodiff();
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &device).require_grad()
    }

    fn list(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    /// Esser et al. 2020, equations 3 and 5, times the step, because its logarithm is learned.
    #[test]
    fn gradients_are_those_of_learned_step_size_quantization() {
        let values = [0.34, -0.11, 1.9, -2.4, 0.05, 0.26, -0.77];
        let (steps, format) = ([0.1f32, 0.3], WeightFormat::Groups { bits: 4, group: 4 });
        let (weight, log) = (tensor(&values, [1, 7]), tensor(&steps.map(f32::ln), [1, 2]));
        let factors: Vec<f32> = (1..=7u8).map(f32::from).collect();
        let held = hold_weight(weight.clone(), log.clone(), format);
        let sum = (held.clone() * tensor(&factors, [1, 7]).detach()).sum();
        let gradients = sum.backward();
        let (mut by_weight, mut by_log, mut expected) = (Vec::new(), vec![0.0; 2], Vec::new());
        for (index, (value, factor)) in values.iter().zip(&factors).enumerate() {
            let step = steps[index / 4];
            let ratio = value / step;
            let (integer, inside) = (ratio.clamp(-7.0, 7.0).round_ties_even(), ratio.abs() <= 7.0);
            expected.push(integer * step);
            by_weight.push(if inside { *factor } else { 0.0 });
            by_log[index / 4] += factor * step * if inside { integer - ratio } else { integer };
        }
        let near = |found: Vec<f32>, expected: &[f32]| {
            let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-5 && found.len() == expected.len(), "{found:?} is not {expected:?}");
        };
        near(list(held.inner()), &expected);
        near(list(weight.grad(&gradients).unwrap()), &by_weight);
        near(list(log.grad(&gradients).unwrap()), &by_log);
    }

    #[test]
    fn activations_are_held_from_0_to_255() {
        let (values, step, zero) = ([-3.0, -0.31, 0.0, 0.24, 1.5, 99.0], 0.1f32, 10);
        let (input, log) = (tensor(&values, [2, 3]), tensor(&[step.ln()], [1, 1]));
        let held = hold(input.clone(), log.clone(), zero);
        let gradients = held.clone().sum().backward();
        let expected = [-1.0, -0.3, 0.0, 0.2, 1.5, 24.5];
        let off = list(held.inner()).iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-5, "off by {off}");
        assert_eq!(list(input.grad(&gradients).unwrap()), [0.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        let by_log = list(log.grad(&gradients).unwrap())[0];
        let expected = step * (-10.0 + (-3.0 + 3.1) + 0.0 + (2.0 - 2.4) + 0.0 + 245.0);
        assert!((by_log - expected).abs() < 1e-3, "{by_log} is not {expected}");
    }
}
