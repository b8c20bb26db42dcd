use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InputShape, ModelError, check_size};
use crate::{
    Activation, Tap, Tapped,
    layers::{Conv2d, Conv2dConfig, Dropout, Linear, MaxPool2d},
};

/// Settings of a [`Cnn`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CnnConfig {
    /// Probability of dropping each unit before the fully connected layers while training.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: f64,
}

impl CnnConfig {
    pub(super) fn init(
        &self,
        input: InputShape,
        outputs: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Cnn, ModelError> {
        let (channels, size) = input.picture("cnn")?;
        let conv1 = Conv2dConfig::square(channels, 32, 3);
        let conv2 = Conv2dConfig::square(32, 64, 3);
        let map = conv1.output_size(size).and_then(|size| conv2.output_size(size));
        let features = 64 * map.map_or(0, |[height, width]| (height / 2) * (width / 2));
        if features == 0 {
            let [height, width] = size;
            return Err(ModelError::TooSmall { architecture: "cnn", minimum: 6, height, width });
        }
        check_size("cnn", features as u128 * 128 + channels as u128 * 288)?;
        Ok(Cnn {
            conv1: Conv2d::new("conv1", conv1, rng, device),
            conv2: Conv2d::new("conv2", conv2, rng, device),
            fc1: Linear::new("fc1", features, 128, rng, device),
            fc2: Linear::new("fc2", 128, outputs, rng, device),
            pool: MaxPool2d::new("pool", 2),
            dropout: (self.dropout > 0.0).then(|| Dropout::new("drop", self.dropout)),
            input: [channels, size[0], size[1]],
        })
    }
}

/// Two 3x3 convolutions of 32 and 64 channels, 2x2 max-pooling, and fully connected layers of 128 units and the
/// outputs, ReLU between: on MNIST 9216-128-10 after the pooling.
#[derive(Module, Debug)]
pub struct Cnn {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    pool: MaxPool2d,
    #[module(skip)]
    dropout: Option<Dropout>,
    #[module(skip)]
    input: [usize; 3],
}

impl Cnn {
    pub(super) fn linears(&mut self) -> Vec<&mut Linear> {
        vec![&mut self.fc1, &mut self.fc2]
    }
}

impl Tapped for Cnn {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let batch = input.dims()[0];
        let [channels, height, width] = self.input;
        let x = input.reshape([batch, channels, height, width]);
        let x = tap.conv2d(&self.conv1, x, Activation::Relu);
        let x = tap.conv2d(&self.conv2, x, Activation::Relu);
        let mut x = tap.max_pool2d(&self.pool, x).flatten(1, 3);
        if let Some(dropout) = &self.dropout {
            x = tap.dropout(dropout, x);
        }
        let x = tap.linear(&self.fc1, x, Activation::Relu);
        tap.linear(&self.fc2, x, Activation::Identity)
    }
}
