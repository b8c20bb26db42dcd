use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Discriminates, Gaze, Verdict};
use crate::{
    Activation, ModelError, Tap,
    architectures::check_size,
    generators::sides,
    layers::{AvgPool2d, Conv2dConfig, GanConv2d, Reparametrized},
};

/// Sizes of a [`Residual`] discriminator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResidualConfig {
    /// Channels of every hidden map.
    #[schemars(range(min = 1, max = 4096))]
    pub channels: usize,
    /// Whether each weight is held to spectral norm 1.
    pub spectral: bool,
}

impl Default for ResidualConfig {
    fn default() -> Self {
        Self { channels: 64, spectral: true }
    }
}

impl ResidualConfig {
    pub(super) fn init(
        &self,
        gaze: Gaze,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Residual, ModelError> {
        let (name, channels) = ("residual", self.channels);
        let steps = sides(name, gaze.size)?.len() - 1;
        if channels == 0 {
            return Err(ModelError::EmptyLayer { architecture: name, layer: 1 });
        }
        check_size(name, 19 * (channels * channels) as u128 * (steps + 1) as u128)?;
        let options = Reparametrized { deviation: None, bias: true, spectral: self.spectral };
        // One for each time that the picture is halved, and one more.
        let blocks = (0..=steps).map(|i| {
            let inputs = if i == 0 { gaze.channels } else { channels };
            let halves = i < steps;
            Block::new(&format!("blocks.{i}"), [inputs, channels], halves, i == 0, options, rng, device)
        });
        Ok(Residual {
            blocks: blocks.collect(),
            verdict: Verdict::new(channels, gaze.classes, options, rng, device),
            input: [gaze.channels, gaze.size],
        })
    }
}

/// Residual blocks, of which all but the last halve the picture, the sum over what remains of it, and one fully connected layer.
#[derive(Module, Debug)]
pub struct Residual {
    blocks: Vec<Block>,
    verdict: Verdict,
    /// Channels and side of a picture.
    #[module(skip)]
    input: [usize; 2],
}

/// ReLU (but before the first), convolution, ReLU, convolution and the mean over windows of 2x2, beside a shortcut.
#[derive(Module, Debug)]
struct Block {
    conv1: GanConv2d,
    conv2: GanConv2d,
    shortcut: GanConv2d,
    #[module(skip)]
    pool: Option<AvgPool2d>,
    #[module(skip)]
    is_first: bool,
    #[module(skip)]
    name: String,
}

impl Block {
    fn new(
        name: &str,
        [inputs, outputs]: [usize; 2],
        halves: bool,
        is_first: bool,
        options: Reparametrized,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let mut conv = |layer: &str, inputs: usize, kernel: usize| {
            let config = Conv2dConfig::square(inputs, outputs, kernel).padding(kernel / 2);
            GanConv2d::new(&format!("{name}.{layer}"), config, options, rng, device)
        };
        Self {
            conv1: conv("conv1", inputs, 3),
            conv2: conv("conv2", outputs, 3),
            shortcut: conv("shortcut", inputs, 1),
            pool: halves.then(|| AvgPool2d::new(&format!("{name}.pool"), 2)),
            is_first,
            name: name.to_owned(),
        }
    }

    fn forward(&self, input: Tensor<4>, tap: &mut dyn Tap) -> Tensor<4> {
        let smaller = |x: Tensor<4>, tap: &mut dyn Tap| match &self.pool {
            Some(pool) => tap.avg_pool2d(pool, x),
            None => x,
        };
        // A convolution of one pixel and a mean change places.
        let short = smaller(input.clone(), tap);
        let short = tap.gan_conv2d(&self.shortcut, short, Activation::Identity);
        let x = if self.is_first { input } else { rectified(&self.name, input, tap) };
        let x = tap.gan_conv2d(&self.conv1, x, Activation::Relu);
        let x = tap.gan_conv2d(&self.conv2, x, Activation::Identity);
        let x = smaller(x, tap);
        let shape = x.dims();
        tap.add(x.flatten(2, 3), short.flatten(2, 3)).reshape(shape)
    }
}

fn rectified(name: &str, x: Tensor<4>, tap: &mut dyn Tap) -> Tensor<4> {
    let shape = x.dims();
    tap.activation(name, Activation::Relu, x.flatten(1, 3)).reshape(shape)
}

impl Discriminates for Residual {
    fn forward(&self, pictures: Tensor<2>, classes: Option<Tensor<2, Int>>, tap: &mut dyn Tap) -> Tensor<2> {
        let batch = pictures.dims()[0];
        let [channels, side] = self.input;
        let mut x = pictures.reshape([batch, channels, side, side]);
        for block in &self.blocks {
            x = block.forward(x, tap);
        }
        let x = rectified("relu", x, tap);
        let features = tap.sum_places(x);
        self.verdict.forward(features, classes, tap)
    }

    fn mixes_batches(&self) -> bool {
        false
    }
}
