//! A network's loss and predictions on a split.

use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::{Examples, Task, by_length};
use crucible_measure::{Mean, argmax};
use crucible_models::{NoTap, Tapped};

use crate::losses::{Loss, encode_targets};

/// Examples in one forward pass, of texts fewer: large enough to keep the cores busy, small enough to stay in cache.
const BATCH: usize = 500;

/// What a network makes of a split.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Mean loss.
    pub loss: f64,
    /// Predictions by example: probabilities of the classes, or (standardised) values.
    pub predictions: Vec<f32>,
    /// Predictions for one example.
    pub width: usize,
    /// Share of examples whose most probable class is the true one; none for regression.
    pub accuracy: Option<f64>,
}

impl Evaluation {
    /// The predictions for example `index`.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.predictions[index * self.width..(index + 1) * self.width]
    }

    /// The most probable class of example `index`; the first of equals.
    #[must_use]
    pub fn class(&self, index: usize) -> usize {
        argmax(self.row(index))
    }
}

/// Measures `network` (not tracked by autodiff) on `examples`.
#[must_use]
pub fn evaluate(
    network: &impl Tapped,
    examples: &Examples,
    loss: &dyn Loss,
    task: &Task,
    device: &Device,
) -> Evaluation {
    let mut mean = Mean::default();
    let mut evaluation = Evaluation { loss: 0.0, predictions: Vec::new(), width: 0, accuracy: None };
    for chunk in &by_length(examples.lengths().as_deref(), examples.len(), BATCH) {
        let mut input = Vec::new();
        examples.gather(chunk, &mut input);
        let outputs = forward(network, input, examples.input_len(), device);
        let width = outputs.dims()[1];
        let targets = encode_targets(loss, examples, chunk, width);
        let targets = Tensor::from_data(TensorData::new(targets, [chunk.len(), width]), device);
        let value = loss.forward(outputs.clone(), targets).into_scalar::<f32>();
        mean.record_many(f64::from(value), chunk.len() as u64);
        place(loss.predict(outputs, task), chunk, examples.len(), &mut evaluation);
    }
    evaluation.loss = mean.value().unwrap_or(0.0);
    if let Some(classes) = examples.classes() {
        let right =
            (0..).zip(classes).filter(|(index, class)| evaluation.class(*index) == **class as usize).count();
        evaluation.accuracy = (!classes.is_empty()).then(|| right as f64 / classes.len() as f64);
    }
    evaluation
}

/// The predictions for inputs of `features` values each, one after the other: probabilities of the classes, or
/// standardised values. `lengths` are the numbers of tokens, where the inputs are texts.
#[must_use]
pub fn predict(
    network: &impl Tapped,
    inputs: &[f32],
    features: usize,
    lengths: Option<&[u32]>,
    loss: &dyn Loss,
    task: &Task,
    device: &Device,
) -> Vec<f32> {
    let mut all = Evaluation { loss: 0.0, predictions: Vec::new(), width: 0, accuracy: None };
    let count = inputs.len() / features;
    for chunk in &by_length(lengths, count, BATCH) {
        let rows = chunk.iter().flat_map(|&index| &inputs[index as usize * features..][..features]);
        let outputs = forward(network, rows.copied().collect(), features, device);
        place(loss.predict(outputs, task), chunk, count, &mut all);
    }
    all.predictions
}

fn forward(network: &impl Tapped, input: Vec<f32>, features: usize, device: &Device) -> Tensor<2> {
    let batch = input.len() / features;
    network.forward(Tensor::from_data(TensorData::new(input, [batch, features]), device), &mut NoTap)
}

/// Puts the predictions for the examples at `indices`, of `count`, where they belong.
fn place(predictions: Tensor<2>, indices: &[u32], count: usize, into: &mut Evaluation) {
    let width = predictions.dims()[1];
    let values = predictions.into_data().try_to_vec::<f32>().expect("networks here hold f32");
    into.width = width;
    into.predictions.resize(count * width, 0.0);
    for (&index, row) in indices.iter().zip(values.chunks_exact(width)) {
        into.predictions[index as usize * width..][..width].copy_from_slice(row);
    }
}
