//! What a network is made of and what it costs, read off one forward pass.

use burn::tensor::{Device, Tensor};
use serde::Serialize;

use crate::{Observe, Tapped};

/// One row of a [`Summary`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// The layer's name, such as `fc1`.
    pub name: String,
    /// What kind of layer it is.
    pub kind: String,
    /// The output's shape without the batch.
    pub output: Vec<usize>,
    /// Learnable parameters.
    pub parameters: u64,
    /// Multiply-adds for one example.
    pub multiply_adds: u64,
}

/// Layers in the order of the forward pass, and what they add up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Features of one input.
    pub features: usize,
    /// The layers.
    pub layers: Vec<LayerSummary>,
    /// Learnable parameters.
    pub parameters: u64,
    /// Multiply-adds for one example.
    pub multiply_adds: u64,
}

const FLOAT_BYTES: u64 = 4;

impl Summary {
    /// Bytes to answer a batch: the weights, and the two largest neighbouring activations.
    #[must_use]
    pub fn inference_bytes(&self, batch: u64) -> u64 {
        let sizes: Vec<u64> = self.activations().collect();
        let widest = sizes.windows(2).map(|pair| pair[0] + pair[1]).max().unwrap_or(0);
        FLOAT_BYTES * (self.parameters + batch * widest)
    }

    /// Bytes to train on a batch: weights, gradients, `states` values of the optimizer for each weight, and every
    /// activation with its gradient.
    #[must_use]
    pub fn training_bytes(&self, batch: u64, states: u64) -> u64 {
        FLOAT_BYTES * (self.parameters * (2 + states) + 2 * batch * self.activations().sum::<u64>())
    }

    fn activations(&self) -> impl Iterator<Item = u64> + '_ {
        let outputs = self.layers.iter().map(|layer| layer.output.iter().product::<usize>() as u64);
        std::iter::once(self.features as u64).chain(outputs)
    }
}

/// Runs one example of zeros with `features` values through the network.
#[must_use]
pub fn summarize(network: &impl Tapped, features: usize, device: &Device) -> Summary {
    let mut layers = Vec::new();
    let mut tap = Observe(|site: &crate::Site<'_>, _| {
        layers.push(LayerSummary {
            name: site.name.to_owned(),
            kind: site.kind.to_owned(),
            output: site.shape.clone(),
            parameters: site.parameters,
            multiply_adds: site.multiply_adds,
        });
    });
    let _ = network.forward(Tensor::zeros([1, features], device), &mut tap);
    let parameters = layers.iter().map(|layer| layer.parameters).sum();
    let multiply_adds = layers.iter().map(|layer| layer.multiply_adds).sum();
    Summary { features, layers, parameters, multiply_adds }
}
