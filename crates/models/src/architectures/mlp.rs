use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InputShape, ModelError, check_size};
use crate::{
    Activation, Tap, Tapped,
    layers::{BatchNorm, Dropout, Linear},
};

/// Sizes of an [`Mlp`]. The default is the network of the article: 784-128-64-10 on MNIST.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Widths of the hidden layers, from the input on; empty for a linear model.
    #[schemars(inner(range(min = 1)))]
    pub hidden: Vec<usize>,
    /// The function after each hidden layer.
    pub activation: Activation,
    /// Probability of dropping each hidden unit while training.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: f64,
    /// Batch normalization before each activation.
    pub batch_norm: bool,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { hidden: vec![128, 64], activation: Activation::Relu, dropout: 0.0, batch_norm: false }
    }
}

impl MlpConfig {
    pub(super) fn init(
        &self,
        input: InputShape,
        outputs: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Mlp, ModelError> {
        if matches!(input, InputShape::Tokens { .. }) {
            return Err(ModelError::NeedsNumbers { architecture: "mlp" });
        }
        let widths: Vec<usize> =
            [&[input.features()], self.hidden.as_slice(), &[outputs]].concat().into_iter().collect();
        if let Some(layer) = widths.iter().skip(1).position(|&width| width == 0) {
            return Err(ModelError::EmptyLayer { architecture: "mlp", layer: layer + 1 });
        }
        let weights = widths.windows(2).map(|pair| pair[0] as u128 * pair[1] as u128);
        check_size("mlp", weights.fold(0, u128::saturating_add))?;

        let layers = 1..=self.hidden.len();
        let fc = (1..).zip(widths.windows(2));
        Ok(Mlp {
            fc: fc.map(|(i, pair)| Linear::new(&format!("fc{i}"), pair[0], pair[1], rng, device)).collect(),
            bn: match self.batch_norm {
                true => {
                    layers.clone().map(|i| BatchNorm::new(&format!("bn{i}"), widths[i], device)).collect()
                }
                false => Vec::new(),
            },
            dropout: match self.dropout > 0.0 {
                true => layers.map(|i| Dropout::new(&format!("drop{i}"), self.dropout)).collect(),
                false => Vec::new(),
            },
            activation: self.activation,
        })
    }
}

/// Multilayer perceptron: linear, batch norm (if any), activation, dropout (if any), again and again, and a last
/// linear layer.
#[derive(Module, Debug)]
pub struct Mlp {
    fc: Vec<Linear>,
    bn: Vec<BatchNorm>,
    #[module(skip)]
    dropout: Vec<Dropout>,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    pub(super) fn linears(&mut self) -> Vec<&mut Linear> {
        self.fc.iter_mut().collect()
    }
}

impl Tapped for Mlp {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let (last, hidden) = self.fc.split_last().expect("built with an output layer");
        let mut x = input;
        for (i, fc) in hidden.iter().enumerate() {
            x = match self.bn.get(i) {
                None => tap.linear(fc, x, self.activation),
                Some(bn) => {
                    let x = tap.linear(fc, x, Activation::Identity);
                    let x = tap.batch_norm(bn, x.unsqueeze_dim(2)).squeeze_dim(2);
                    tap.activation(&format!("act{}", i + 1), self.activation, x)
                }
            };
            if let Some(dropout) = self.dropout.get(i) {
                x = tap.dropout(dropout, x);
            }
        }
        tap.linear(last, x, Activation::Identity)
    }
}
