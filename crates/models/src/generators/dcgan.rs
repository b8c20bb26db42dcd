use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Drawing, Generates, Seed, sides};
use crate::{
    Activation, ModelError, Tap,
    architectures::check_size,
    layers::{BatchNorm, Conv2dConfig, ConvTranspose2d, GanConv2d, Reparametrized, Upsample2d},
};

/// Standard deviation of the first weights, the paper's.
const DEVIATION: f64 = 0.02;

/// Sizes of a [`Dcgan`]. With the default and a latent vector of 100, pictures of 3x64x64 take 3,576,704 parameters: PyTorch's
/// example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DcganConfig {
    /// Channels of the largest hidden map; each smaller one has twice as many.
    #[schemars(range(min = 1, max = 4096))]
    pub channels: usize,
    /// Numbers of the vector that a class is to the network.
    #[schemars(range(min = 1, max = 4096))]
    pub embedding: usize,
    /// How maps become larger.
    pub upsampling: Upsampling,
}

/// How maps become larger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Upsampling {
    /// By transposed convolutions of 4x4, the paper's.
    #[default]
    Transposed,
    /// By repeating pixels, and convolutions of 3x3 after that, which leave no pattern (Odena et al. 2016).
    Nearest,
}

impl Default for DcganConfig {
    fn default() -> Self {
        Self { channels: 64, embedding: 32, upsampling: Upsampling::default() }
    }
}

impl DcganConfig {
    pub(super) fn init(
        &self,
        drawing: Drawing,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Dcgan, ModelError> {
        let name = "dcgan";
        let sides = sides(name, drawing.size)?;
        let steps = sides.len() - 1;
        if self.channels == 0 {
            return Err(ModelError::EmptyLayer { architecture: name, layer: 1 });
        }
        let mut widths: Vec<usize> = (0..steps).rev().map(|step| self.channels << step).collect();
        widths.push(drawing.channels);
        let first = widths[0] * sides[0] * sides[0];
        let weights = widths.windows(2).map(|pair| 16 * pair[0] as u128 * pair[1] as u128).sum::<u128>();
        check_size(name, weights + (drawing.latent + self.embedding) as u128 * first as u128)?;
        let options = Reparametrized { deviation: Some(DEVIATION), bias: false, spectral: false };
        let up = (1..).zip(widths.windows(2)).zip(&sides[1..]).map(|((i, pair), &side)| {
            let (name, size) = (format!("up{i}"), [side; 2]);
            match self.upsampling {
                Upsampling::Transposed => {
                    let pair = [pair[0], pair[1]];
                    Up::Transposed(ConvTranspose2d::new(&name, pair, size, DEVIATION, rng, device))
                }
                Upsampling::Nearest => {
                    let config = Conv2dConfig::square(pair[0], pair[1], 3).padding(1);
                    Up::Nearest(GanConv2d::new(&name, config, options, rng, device))
                }
            }
        });
        let up = up.collect();
        let bn = (1..).zip(&widths[..steps]);
        Ok(Dcgan {
            bn: bn.map(|(i, &width)| BatchNorm::new(&format!("bn{i}"), width, device)).collect(),
            up,
            seed: Seed::new(drawing, self.embedding, first, options, rng, device),
            larger: (1..)
                .zip(&sides[1..])
                .map(|(i, &side)| Upsample2d::new(&format!("upsample{i}"), [side; 2]))
                .collect(),
            first: [widths[0], sides[0]],
        })
    }
}

/// A fully connected layer to the smallest map, then layers that double it, with batch norm and ReLU between, and the hyperbolic
/// tangent at the end. No layer has a bias: batch norm would take it away.
#[derive(Module, Debug)]
pub struct Dcgan {
    seed: Seed,
    bn: Vec<BatchNorm>,
    up: Vec<Up>,
    #[module(skip)]
    larger: Vec<Upsample2d>,
    /// Channels and side of the first map.
    #[module(skip)]
    first: [usize; 2],
}

/// What makes a map larger.
#[derive(Module, Debug)]
enum Up {
    Transposed(ConvTranspose2d),
    Nearest(GanConv2d),
}

impl Generates for Dcgan {
    fn forward(&self, latent: Tensor<2>, classes: Option<Tensor<2, Int>>, tap: &mut dyn Tap) -> Tensor<2> {
        let batch = latent.dims()[0];
        let [channels, side] = self.first;
        let mut x = self.seed.forward(latent, classes, tap).reshape([batch, channels, side, side]);
        for ((bn, up), larger) in self.bn.iter().zip(&self.up).zip(&self.larger) {
            x = normalized(bn, x, tap);
            x = match up {
                Up::Transposed(layer) => tap.conv_transpose2d(layer, x),
                Up::Nearest(layer) => {
                    let x = tap.upsample2d(larger, x);
                    tap.gan_conv2d(layer, x, Activation::Identity)
                }
            };
        }
        tap.activation("tanh", Activation::Tanh, x.flatten(1, 3))
    }
}

/// Batch norm and ReLU.
pub(super) fn normalized(bn: &BatchNorm, x: Tensor<4>, tap: &mut dyn Tap) -> Tensor<4> {
    let shape = x.dims();
    let x: Tensor<2> = tap.batch_norm(bn, x.flatten(2, 3)).flatten(1, 2);
    tap.activation(bn.name(), Activation::Relu, x).reshape(shape)
}
