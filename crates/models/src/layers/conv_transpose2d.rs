use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use crucible_kernels::{Conv2d, conv_transpose2d};
use rand_chacha::ChaCha8Rng;

use crate::init::normal;

/// A transposed convolution that doubles height and width, without a bias: PyTorch's `ConvTranspose2d` with a kernel of 4, a
/// stride of 2 and a padding of 1.
#[derive(Module, Debug)]
pub struct ConvTranspose2d {
    /// `[in, out, 4, 4]`.
    pub weight: Param<Tensor<4>>,
    #[module(skip)]
    size: [usize; 2],
    #[module(skip)]
    name: String,
}

impl ConvTranspose2d {
    const OPTIONS: Conv2d = Conv2d { stride: [2; 2], padding: [1; 2], dilation: [1; 2], groups: 1 };

    /// A layer whose outputs are `size` high and wide, which is twice its inputs' or one more, with normal weights of this
    /// standard deviation.
    #[must_use]
    pub fn new(
        name: &str,
        [inputs, outputs]: [usize; 2],
        size: [usize; 2],
        deviation: f64,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        Self { weight: normal([inputs, outputs, 4, 4], deviation, rng, device), size, name: name.to_owned() }
    }

    /// The name of this site, such as `up1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `[batch, in, height, width]` to `[batch, out, height', width']`.
    #[must_use]
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        conv_transpose2d(input, self.weight.val(), Self::OPTIONS, self.size)
    }

    /// Learnable parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.weight.shape().num_elements()
    }

    /// Multiply-adds for one example: each pixel of the output is reached by a quarter of the kernel.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        self.parameters() as u64 / 4 * self.size[0] as u64 * self.size[1] as u64
    }
}
