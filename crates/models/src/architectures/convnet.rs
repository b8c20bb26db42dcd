use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InputShape, ModelError, check_size};
use crate::{
    Activation, Tap, Tapped,
    layers::{AvgPool2d, Conv2d, Conv2dConfig, Linear, MaxPool2d},
};

/// Sizes of a [`Convnet`]. The default is the small network that robust training is usually shown on (Wong and Kolter
/// 2018, section 5): 166,406 parameters on MNIST.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConvnetConfig {
    /// The convolutions, from the input on.
    #[schemars(length(min = 1))]
    pub conv: Vec<Convolution>,
    /// Widths of the fully connected layers after them.
    #[schemars(inner(range(min = 1)))]
    pub hidden: Vec<usize>,
    /// The function after each layer but the last.
    pub activation: Activation,
    /// What is taken of each window of a pooling.
    pub pooling: Pooling,
}

/// What a pooling takes of its windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The largest value.
    #[default]
    Max,
    /// The mean.
    Mean,
}

/// One convolution of a [`Convnet`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    /// Output channels.
    #[schemars(range(min = 1))]
    pub channels: usize,
    /// Height and width of the kernel.
    #[schemars(range(min = 1))]
    pub kernel: usize,
    /// Step between windows.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub stride: usize,
    /// Zeros added on each side.
    #[serde(default)]
    pub padding: usize,
    /// Height and width of the windows of the pooling after it; 1 for none.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub pool: usize,
}

fn one() -> usize {
    1
}

impl Default for ConvnetConfig {
    fn default() -> Self {
        let conv = |channels| Convolution { channels, kernel: 4, stride: 2, padding: 1, pool: 1 };
        Self {
            conv: vec![conv(16), conv(32)],
            hidden: vec![100],
            activation: Activation::Relu,
            pooling: Pooling::Max,
        }
    }
}

impl ConvnetConfig {
    pub(super) fn init(
        &self,
        input: InputShape,
        outputs: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Convnet, ModelError> {
        let name = "convnet";
        let (channels, picture) = input.picture(name)?;
        let (mut inputs, mut size, mut weights) = (channels, picture, 0u128);
        let mut configs = Vec::new();
        for (layer, conv) in (1..).zip(&self.conv) {
            let Convolution { channels, kernel, stride, padding, pool } = *conv;
            if [channels, kernel, stride, pool].contains(&0) {
                return Err(ModelError::EmptyLayer { architecture: name, layer });
            }
            let config =
                Conv2dConfig { stride: [stride; 2], ..Conv2dConfig::square(inputs, channels, kernel) };
            let config = config.padding(padding);
            size = config.output_size(size).unwrap_or([0; 2]).map(|side| side / pool);
            if size.contains(&0) {
                let [height, width] = picture;
                return Err(ModelError::Vanishes { architecture: name, layer, height, width });
            }
            weights += (inputs * channels) as u128 * (kernel * kernel) as u128;
            configs.push(config);
            inputs = channels;
        }
        let widths = [&[inputs * size[0] * size[1]], self.hidden.as_slice(), &[outputs]].concat();
        if let Some(layer) = widths.iter().skip(1).position(|&width| width == 0) {
            return Err(ModelError::EmptyLayer { architecture: name, layer: self.conv.len() + layer + 1 });
        }
        weights += widths.windows(2).map(|pair| pair[0] as u128 * pair[1] as u128).sum::<u128>();
        check_size(name, weights)?;
        let conv =
            (1..).zip(&configs).map(|(i, config)| Conv2d::new(&format!("conv{i}"), *config, rng, device));
        let conv = conv.collect();
        let fc = (1..).zip(widths.windows(2));
        let fc = fc.map(|(i, pair)| Linear::new(&format!("fc{i}"), pair[0], pair[1], rng, device)).collect();
        let pool =
            (1..).zip(&self.conv).map(|(i, conv)| Pool::new(self.pooling, &format!("pool{i}"), conv.pool));
        let pool = pool.collect();
        let input = [channels, picture[0], picture[1]];
        Ok(Convnet { conv, fc, pool, activation: self.activation, input })
    }
}

/// Convolutions of any number, kernel and stride, each with a pooling if one is wanted, then fully connected layers.
#[derive(Module, Debug)]
pub struct Convnet {
    conv: Vec<Conv2d>,
    fc: Vec<Linear>,
    #[module(skip)]
    pool: Vec<Pool>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    input: [usize; 3],
}

/// The pooling after a convolution.
#[derive(Debug, Clone)]
enum Pool {
    None,
    Max(MaxPool2d),
    Mean(AvgPool2d),
}

impl Pool {
    fn new(pooling: Pooling, name: &str, size: usize) -> Self {
        match pooling {
            _ if size == 1 => Self::None,
            Pooling::Max => Self::Max(MaxPool2d::new(name, size)),
            Pooling::Mean => Self::Mean(AvgPool2d::new(name, size)),
        }
    }
}

impl Convnet {
    pub(super) fn linears(&mut self) -> Vec<&mut Linear> {
        self.fc.iter_mut().collect()
    }
}

impl Tapped for Convnet {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let batch = input.dims()[0];
        let [channels, height, width] = self.input;
        let mut x = input.reshape([batch, channels, height, width]);
        for (conv, pool) in self.conv.iter().zip(&self.pool) {
            x = tap.conv2d(conv, x, self.activation);
            x = match pool {
                Pool::None => x,
                Pool::Max(pool) => tap.max_pool2d(pool, x),
                Pool::Mean(pool) => tap.avg_pool2d(pool, x),
            };
        }
        let mut x = x.flatten(1, 3);
        let (last, hidden) = self.fc.split_last().expect("built with an output layer");
        for fc in hidden {
            x = tap.linear(fc, x, self.activation);
        }
        tap.linear(last, x, Activation::Identity)
    }
}
