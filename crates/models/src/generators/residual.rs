use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Drawing, Generates, Seed, dcgan::normalized, sides};
use crate::{
    Activation, ModelError, Tap,
    architectures::check_size,
    layers::{BatchNorm, Conv2dConfig, GanConv2d, Reparametrized, Upsample2d},
};

/// Sizes of a [`Residual`] generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResidualConfig {
    /// Channels of every hidden map.
    #[schemars(range(min = 1, max = 4096))]
    pub channels: usize,
    /// Numbers of the vector that a class is to the network.
    #[schemars(range(min = 1, max = 4096))]
    pub embedding: usize,
}

impl Default for ResidualConfig {
    fn default() -> Self {
        Self { channels: 64, embedding: 32 }
    }
}

impl ResidualConfig {
    pub(super) fn init(
        &self,
        drawing: Drawing,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Residual, ModelError> {
        let (name, channels) = ("residual", self.channels);
        let sides = sides(name, drawing.size)?;
        if channels == 0 {
            return Err(ModelError::EmptyLayer { architecture: name, layer: 1 });
        }
        let first = channels * sides[0] * sides[0];
        let blocks = 19 * (channels * channels) as u128 * (sides.len() - 1) as u128;
        check_size(name, blocks + (drawing.latent + self.embedding) as u128 * first as u128)?;
        let options = Reparametrized { deviation: None, bias: true, spectral: false };
        let last = Conv2dConfig::square(channels, drawing.channels, 3).padding(1);
        Ok(Residual {
            seed: Seed::new(drawing, self.embedding, first, options, rng, device),
            blocks: (0..)
                .zip(&sides[1..])
                .map(|(i, &side)| Block::new(&format!("blocks.{i}"), channels, side, options, rng, device))
                .collect(),
            bn: BatchNorm::new("bn", channels, device),
            conv: GanConv2d::new("conv", last, options, rng, device),
            first: [channels, sides[0]],
        })
    }
}

/// A fully connected layer to the smallest map, residual blocks that double it, batch norm, ReLU, a convolution and the
/// hyperbolic tangent.
#[derive(Module, Debug)]
pub struct Residual {
    seed: Seed,
    blocks: Vec<Block>,
    bn: BatchNorm,
    conv: GanConv2d,
    /// Channels and side of the first map.
    #[module(skip)]
    first: [usize; 2],
}

/// Batch norm, ReLU, enlargement, convolution, batch norm, ReLU, convolution, beside an enlarged shortcut.
#[derive(Module, Debug)]
struct Block {
    bn1: BatchNorm,
    conv1: GanConv2d,
    bn2: BatchNorm,
    conv2: GanConv2d,
    shortcut: GanConv2d,
    #[module(skip)]
    larger: Upsample2d,
}

impl Block {
    fn new(
        name: &str,
        channels: usize,
        side: usize,
        options: Reparametrized,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let mut conv = |layer: &str, kernel: usize| {
            let config = Conv2dConfig::square(channels, channels, kernel).padding(kernel / 2);
            GanConv2d::new(&format!("{name}.{layer}"), config, options, rng, device)
        };
        Self {
            conv1: conv("conv1", 3),
            conv2: conv("conv2", 3),
            shortcut: conv("shortcut", 1),
            bn1: BatchNorm::new(&format!("{name}.bn1"), channels, device),
            bn2: BatchNorm::new(&format!("{name}.bn2"), channels, device),
            larger: Upsample2d::new(&format!("{name}.upsample"), [side; 2]),
        }
    }

    fn forward(&self, input: Tensor<4>, tap: &mut dyn Tap) -> Tensor<4> {
        // A convolution of one pixel and an enlargement change places.
        let short = tap.gan_conv2d(&self.shortcut, input.clone(), Activation::Identity);
        let short = tap.upsample2d(&self.larger, short);
        let x = normalized(&self.bn1, input, tap);
        let x = tap.upsample2d(&self.larger, x);
        let x = tap.gan_conv2d(&self.conv1, x, Activation::Identity);
        let x = normalized(&self.bn2, x, tap);
        let x = tap.gan_conv2d(&self.conv2, x, Activation::Identity);
        let shape = x.dims();
        tap.add(x.flatten(2, 3), short.flatten(2, 3)).reshape(shape)
    }
}

impl Generates for Residual {
    fn forward(&self, latent: Tensor<2>, classes: Option<Tensor<2, Int>>, tap: &mut dyn Tap) -> Tensor<2> {
        let batch = latent.dims()[0];
        let [channels, side] = self.first;
        let mut x = self.seed.forward(latent, classes, tap).reshape([batch, channels, side, side]);
        for block in &self.blocks {
            x = block.forward(x, tap);
        }
        let x = normalized(&self.bn, x, tap);
        tap.gan_conv2d(&self.conv, x, Activation::Tanh).flatten(1, 3)
    }
}
