use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Discriminates, Gaze, Normalization, Verdict};
use crate::{
    Activation, ModelError, Tap,
    architectures::check_size,
    generators::sides,
    layers::{BatchNorm, Conv2dConfig, GanConv2d, Reparametrized},
};

/// What leaky rectifiers multiply what is negative by, the paper's.
const SLOPE: f64 = 0.2;

/// Sizes of a [`Dcgan`] discriminator. With batch norm, pictures of 3x64x64 take 2,765,568 parameters: PyTorch's example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DcganConfig {
    /// Channels of the largest map; each smaller one has twice as many.
    #[schemars(range(min = 1, max = 4096))]
    pub channels: usize,
    /// What is done to the layers.
    pub normalization: Normalization,
}

impl Default for DcganConfig {
    fn default() -> Self {
        Self { channels: 64, normalization: Normalization::default() }
    }
}

impl DcganConfig {
    pub(super) fn init(
        &self,
        gaze: Gaze,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Dcgan, ModelError> {
        let name = "dcgan";
        let sides = sides(name, gaze.size)?;
        let layers = sides.len() - 1;
        if self.channels == 0 {
            return Err(ModelError::EmptyLayer { architecture: name, layer: 1 });
        }
        let widths: Vec<usize> =
            std::iter::once(gaze.channels).chain((0..layers).map(|layer| self.channels << layer)).collect();
        check_size(name, widths.windows(2).map(|pair| 16 * pair[0] as u128 * pair[1] as u128).sum())?;
        let mixes = self.normalization == Normalization::Batch;
        let options = Reparametrized {
            // Nothing else keeps the signal's size.
            deviation: (self.normalization != Normalization::None).then_some(0.02),
            bias: !mixes,
            spectral: self.normalization == Normalization::Spectral,
        };
        let conv = (1..).zip(widths.windows(2)).map(|(i, pair)| {
            let config = Conv2dConfig { stride: [2; 2], ..Conv2dConfig::square(pair[0], pair[1], 4) };
            GanConv2d::new(&format!("conv{i}"), config.padding(1), options, rng, device)
        });
        let conv = conv.collect();
        let bn = (2..).zip(&widths[2..]).filter(|_| mixes);
        Ok(Dcgan {
            conv,
            bn: bn.map(|(i, &width)| BatchNorm::new(&format!("bn{i}"), width, device)).collect(),
            verdict: Verdict::new(widths[layers] * sides[0] * sides[0], gaze.classes, options, rng, device),
            input: [gaze.channels, gaze.size],
        })
    }
}

/// Convolutions of 4x4 that halve the picture until a side of at most 7 remains, with leaky rectifiers, and one fully connected
/// layer.
#[derive(Module, Debug)]
pub struct Dcgan {
    conv: Vec<GanConv2d>,
    bn: Vec<BatchNorm>,
    verdict: Verdict,
    /// Channels and side of a picture.
    #[module(skip)]
    input: [usize; 2],
}

impl Discriminates for Dcgan {
    fn forward(&self, pictures: Tensor<2>, classes: Option<Tensor<2, Int>>, tap: &mut dyn Tap) -> Tensor<2> {
        let batch = pictures.dims()[0];
        let [channels, side] = self.input;
        let mut x = pictures.reshape([batch, channels, side, side]);
        for (i, conv) in self.conv.iter().enumerate() {
            x = tap.gan_conv2d(conv, x, Activation::Identity);
            let shape = x.dims();
            if let Some(bn) = i.checked_sub(1).and_then(|i| self.bn.get(i)) {
                x = tap.batch_norm(bn, x.flatten(2, 3)).reshape(shape);
            }
            x = tap.leaky_relu(conv.name(), SLOPE, x.flatten(1, 3)).reshape(shape);
        }
        self.verdict.forward(x.flatten(1, 3), classes, tap)
    }

    fn mixes_batches(&self) -> bool {
        !self.bn.is_empty()
    }
}
