//! What the last layer of a network reads.

use burn::tensor::Tensor;

use crate::{Activation, Classifier, layers::Linear, tap::Tap};

/// A classifier whose features can be seen: those that its last layer tells classes apart by.
pub trait Featured: Classifier {
    /// The features of inputs `[n, features]`, as `[n, width]`.
    fn penultimate(&self, inputs: &[f32]) -> Vec<f32>;
}

/// A tap that keeps the input of the last fully connected layer, `[batch, width]`, and changes nothing.
#[derive(Debug, Default)]
pub struct Penultimate(pub Option<Tensor<2>>);

impl Tap for Penultimate {
    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        self.0 = Some(input.clone());
        layer.forward(input, activation)
    }
}
