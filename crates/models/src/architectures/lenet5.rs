use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InputShape, ModelError, check_size};
use crate::{
    Activation, Tap, Tapped,
    layers::{AvgPool2d, Conv2d, Conv2dConfig, Linear},
};

/// Settings of a [`Lenet5`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lenet5Config {
    /// The function after each layer but the last.
    pub activation: Activation,
}

impl Default for Lenet5Config {
    fn default() -> Self {
        Self { activation: Activation::Tanh }
    }
}

impl Lenet5Config {
    pub(super) fn init(
        &self,
        input: InputShape,
        outputs: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Lenet5, ModelError> {
        let (channels, size) = input.picture("lenet5")?;
        let conv1 = Conv2dConfig::square(channels, 6, 5).padding(2);
        let conv2 = Conv2dConfig::square(6, 16, 5);
        let halved = |[height, width]: [usize; 2]| [height / 2, width / 2];
        let map = conv1.output_size(size).and_then(|size| conv2.output_size(halved(size))).map(halved);
        let features = 16 * map.map_or(0, |[height, width]| height * width);
        if features == 0 {
            let [height, width] = size;
            return Err(ModelError::TooSmall { architecture: "lenet5", minimum: 12, height, width });
        }
        check_size("lenet5", features as u128 * 120 + channels as u128 * 150)?;
        Ok(Lenet5 {
            conv1: Conv2d::new("conv1", conv1, rng, device),
            conv2: Conv2d::new("conv2", conv2, rng, device),
            fc1: Linear::new("fc1", features, 120, rng, device),
            fc2: Linear::new("fc2", 120, 84, rng, device),
            fc3: Linear::new("fc3", 84, outputs, rng, device),
            pool1: AvgPool2d::new("pool1", 2),
            pool2: AvgPool2d::new("pool2", 2),
            activation: self.activation,
            input: [channels, size[0], size[1]],
        })
    }
}

/// LeNet-5 in its modern form: every map of the second convolution sees every map of the first, pooling is plain
/// averaging, and the output layer is linear. 28x28 pictures are padded to the paper's 32x32; 61,706 parameters
/// for ten classes.
///
/// Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document recognition, 1998.
#[derive(Module, Debug)]
pub struct Lenet5 {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
    #[module(skip)]
    pool1: AvgPool2d,
    #[module(skip)]
    pool2: AvgPool2d,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    input: [usize; 3],
}

impl Lenet5 {
    pub(super) fn linears(&mut self) -> Vec<&mut Linear> {
        vec![&mut self.fc1, &mut self.fc2, &mut self.fc3]
    }
}

impl Tapped for Lenet5 {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let batch = input.dims()[0];
        let [channels, height, width] = self.input;
        let x = input.reshape([batch, channels, height, width]);
        let x = tap.conv2d(&self.conv1, x, self.activation);
        let x = tap.avg_pool2d(&self.pool1, x);
        let x = tap.conv2d(&self.conv2, x, self.activation);
        let x = tap.avg_pool2d(&self.pool2, x).flatten(1, 3);
        let x = tap.linear(&self.fc1, x, self.activation);
        let x = tap.linear(&self.fc2, x, self.activation);
        tap.linear(&self.fc3, x, Activation::Identity)
    }
}
