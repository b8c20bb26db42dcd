//! The last layer of a network.

use burn::tensor::Tensor;
use crucible_models::{Activation, Tap, Tapped, layers::Linear};

/// Its weights and biases.
pub(super) struct Head {
    /// `[classes, features]`.
    pub(super) weights: Vec<f64>,
    /// `[classes]`.
    pub(super) bias: Vec<f64>,
}

/// A tap that keeps the last fully connected layer.
#[derive(Default)]
struct Last(Option<Linear>);

impl Tap for Last {
    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        self.0 = Some(layer.clone());
        layer.forward(input, activation)
    }
}

impl Head {
    /// The last fully connected layer that `input` goes through; of a single output, that of a second class beside a first
    /// without any.
    pub(super) fn of(network: &impl Tapped, input: Tensor<2>) -> Option<Self> {
        let mut last = Last::default();
        network.forward(input, &mut last);
        let layer = last.0?;
        let weight = layer.weight.val();
        let [classes, features] = weight.dims();
        let numbers = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
        let weights = numbers(weight.into_data().try_to_vec::<f32>().ok()?);
        let bias = numbers(layer.bias.val().into_data().try_to_vec::<f32>().ok()?);
        Some(match classes {
            1 => Self { weights: [vec![0.0; features], weights].concat(), bias: [vec![0.0], bias].concat() },
            _ => Self { weights, bias },
        })
    }
}
