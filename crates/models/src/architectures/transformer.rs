use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InputShape, ModelError, check_size};
use crate::{
    Activation, Tap, Tapped,
    layers::{Conv2d, Conv2dConfig, EncoderLayer, EncoderLayerConfig, LayerNorm, Linear, Positions},
};

/// Sizes of a [`Transformer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TransformerConfig {
    /// Height and width in pixels of the patches that a picture is cut into, each a token.
    #[schemars(range(min = 1))]
    pub patch: usize,
    /// Features of a token.
    #[schemars(range(min = 1))]
    pub width: usize,
    /// Heads of each attention, a divisor of the width.
    #[schemars(range(min = 1))]
    pub heads: usize,
    /// Encoder layers.
    #[schemars(range(min = 1))]
    pub layers: usize,
    /// Units of the two-layer network within each layer.
    #[schemars(range(min = 1))]
    pub feedforward: usize,
    /// The function in that network.
    pub activation: Activation,
    /// Probability of dropping each value that a layer adds, while training.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: f64,
    /// Normalize before attention and network (and once at the end), not after they were added.
    pub norm_first: bool,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self {
            patch: 4,
            width: 128,
            heads: 4,
            layers: 4,
            feedforward: 512,
            activation: Activation::Gelu,
            dropout: 0.0,
            norm_first: true,
        }
    }
}

impl TransformerConfig {
    pub(super) fn init(
        &self,
        input: InputShape,
        outputs: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Transformer, ModelError> {
        let Self { patch, width, heads, layers, feedforward, activation, dropout, norm_first } = *self;
        if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
            return Err(ModelError::UnevenHeads { architecture: "transformer", width, heads });
        }
        let layer = width as u128 * (4 * width as u128 + 2 * feedforward as u128);
        let embedding = |(channels, [height, width_]): (usize, [usize; 2])| {
            let grid = [height, width_].map(|size| size.checked_div(patch).unwrap_or(0));
            if grid.contains(&0) {
                let minimum = patch.max(1);
                return Err(ModelError::TooSmall {
                    architecture: "transformer",
                    minimum,
                    height,
                    width: width_,
                });
            }
            Ok((channels, grid))
        };
        let picture = match input {
            InputShape::Sequence { width: given, .. } if given == width => None,
            InputShape::Sequence { width: given, .. } => {
                return Err(ModelError::TokenWidth { architecture: "transformer", width, given });
            }
            _ => Some(embedding(input.picture("transformer")?)?),
        };
        let (channels, grid) = picture.unwrap_or_default();
        let patches = (channels * patch * patch + grid[0] * grid[1]) as u128 * width as u128;
        check_size("transformer", layer.saturating_mul(layers as u128).saturating_add(patches))?;

        let tokens = match input {
            InputShape::Sequence { length, .. } => length,
            _ => grid[0] * grid[1],
        };
        let config = EncoderLayerConfig {
            width,
            heads,
            feedforward,
            activation,
            dropout,
            unit_dropout: dropout,
            norm_first,
            epsilon: LayerNorm::EPSILON,
        };
        let projection = Conv2dConfig {
            kernel: [patch; 2],
            stride: [patch; 2],
            ..Conv2dConfig::square(channels, width, patch)
        };
        Ok(Transformer {
            patches: picture.map(|_| Conv2d::new("patches", projection, rng, device)),
            positions: picture.map(|_| Positions::new("positions", tokens, width, rng, device)),
            layers: (0..layers)
                .map(|i| EncoderLayer::new(&format!("layers.{i}"), config, rng, device))
                .collect(),
            norm: norm_first.then(|| LayerNorm::new("norm", width, LayerNorm::EPSILON, device)),
            head: Linear::new("head", width, outputs, rng, device),
            input,
            tokens,
        })
    }
}

/// Transformer encoder: the patches of a picture as tokens, layers of attention, their mean, and a linear layer. A
/// sequence of vectors is taken as it is, without patches and positions.
#[derive(Module, Debug)]
pub struct Transformer {
    patches: Option<Conv2d>,
    positions: Option<Positions>,
    layers: Vec<EncoderLayer>,
    norm: Option<LayerNorm>,
    head: Linear,
    #[module(skip)]
    input: InputShape,
    #[module(skip)]
    tokens: usize,
}

impl Transformer {
    /// `[batch, features]` to tokens `[batch, tokens, width]`.
    fn embed(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<3> {
        let [batch, features] = input.dims();
        let (Some(patches), Some(positions)) = (&self.patches, &self.positions) else {
            return input.reshape([batch, self.tokens, features / self.tokens.max(1)]);
        };
        let InputShape::Image { channels, height, width } = self.input else {
            unreachable!("patches are built for pictures only");
        };
        let x = input.reshape([batch, channels, height, width]);
        let x = tap.conv2d(patches, x, Activation::Identity);
        let x = tap.tokens(x);
        tap.positions(positions, x)
    }
}

impl Transformer {
    pub(super) fn linears(&mut self) -> Vec<&mut Linear> {
        let layers = self.layers.iter_mut().flat_map(EncoderLayer::linears);
        layers.chain([&mut self.head]).collect()
    }
}

impl Tapped for Transformer {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let mut x = self.embed(input, tap);
        for layer in &self.layers {
            x = layer.forward(x, None, tap);
        }
        if let Some(norm) = &self.norm {
            x = tap.layer_norm(norm, x);
        }
        let x = tap.mean_tokens(x, None);
        tap.linear(&self.head, x, Activation::Identity)
    }
}
