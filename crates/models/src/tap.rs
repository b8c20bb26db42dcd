//! The seam between networks and everything that is done with them.

use burn::tensor::{Int, Tensor};
use crucible_kernels::leaky_relu;
use rand_chacha::ChaCha8Rng;

use crate::{
    Activation,
    layers::{
        AvgPool2d, BatchNorm, Conv2d, ConvTranspose2d, Dropout, Embedding, GanConv2d, GanLinear, LayerNorm,
        Linear, MaxPool2d, Padding, Positions, Projection, SelfAttention, Upsample2d,
    },
};

/// What a forward pass meets at each layer. Every method defaults to just running the layer. Between two calls a network
/// only reshapes: what it computes, it computes through its tap.
///
/// A call carries what the plain path can fuse (the activation), and a tap that must see the value before the
/// activation takes it apart. Layers know their own names, so a tap needs nothing else to tell sites apart.
pub trait Tap {
    /// The generator that dropout draws its masks from. `Some` means that the network is being trained: units
    /// drop, and batch norm uses and records the statistics of the batch.
    fn training(&mut self) -> Option<&mut ChaCha8Rng> {
        None
    }

    /// Whether nothing but the network's outputs is wanted, however they are computed.
    fn answers_only(&self) -> bool {
        false
    }

    /// A fully connected layer: `[batch, in]` to `[batch, out]`.
    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        layer.forward_training(input, activation, self.training())
    }

    /// The same layer at each token of a sequence: `[batch, tokens, in]` to `[batch, tokens, out]`.
    fn linear_tokens(&mut self, layer: &Linear, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        layer.forward_tokens_training(input, activation, self.training())
    }

    /// A vector for each token of a vocabulary: `[batch, tokens]` to `[batch, tokens, features]`.
    fn embedding(&mut self, layer: &Embedding, tokens: Tensor<2, Int>) -> Tensor<3> {
        layer.forward(tokens)
    }

    /// The heads of an attention layer: query, key and value side by side `[batch, tokens, 3 · width]` to `[batch,
    /// tokens, width]`; no token sees one that is hidden. Its two projections pass through
    /// [`linear_tokens`](Self::linear_tokens).
    fn self_attention(
        &mut self,
        layer: &SelfAttention,
        packed: Tensor<3>,
        padding: Option<&Padding>,
    ) -> Tensor<3> {
        layer.attend(packed, padding)
    }

    /// Layer normalization of `[batch, tokens, features]`.
    fn layer_norm(&mut self, layer: &LayerNorm, input: Tensor<3>) -> Tensor<3> {
        layer.forward(input)
    }

    /// Learned positions, added to `[batch, tokens, features]`.
    fn positions(&mut self, layer: &Positions, input: Tensor<3>) -> Tensor<3> {
        layer.forward(input)
    }

    /// A 2-D convolution: `[batch, in, height, width]` to `[batch, out, height', width']`.
    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        layer.forward(input, activation)
    }

    /// Batch normalization over `[batch, channels, positions]`.
    fn batch_norm(&mut self, layer: &BatchNorm, input: Tensor<3>) -> Tensor<3> {
        let training = self.training().is_some();
        layer.forward(input, training)
    }

    /// Maximum over windows.
    fn max_pool2d(&mut self, layer: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        layer.forward(input)
    }

    /// Mean over windows.
    fn avg_pool2d(&mut self, layer: &AvgPool2d, input: Tensor<4>) -> Tensor<4> {
        layer.forward(input)
    }

    /// A fully connected layer of a generator or a discriminator: `[batch, in]` to `[batch, out]`.
    fn gan_linear(&mut self, layer: &GanLinear, input: Tensor<2>) -> Tensor<2> {
        let training = self.training().is_some();
        layer.forward(input, training)
    }

    /// A convolution of a generator or a discriminator: `[batch, in, height, width]` to `[batch, out, height', width']`.
    fn gan_conv2d(&mut self, layer: &GanConv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let training = self.training().is_some();
        layer.forward(input, activation, training)
    }

    /// A transposed convolution that doubles height and width.
    fn conv_transpose2d(&mut self, layer: &ConvTranspose2d, input: Tensor<4>) -> Tensor<4> {
        layer.forward(input)
    }

    /// Pictures made larger.
    fn upsample2d(&mut self, layer: &Upsample2d, input: Tensor<4>) -> Tensor<4> {
        layer.forward(input)
    }

    /// How well features `[batch, features]` fit the classes `[batch, 1]`: `[batch, 1]`.
    fn projection(&mut self, layer: &Projection, features: Tensor<2>, classes: Tensor<2, Int>) -> Tensor<2> {
        let training = self.training().is_some();
        layer.forward(features, classes, training)
    }

    /// `x` where that is positive, `slope · x` elsewhere, over `[batch, features]`.
    fn leaky_relu(&mut self, name: &str, slope: f64, input: Tensor<2>) -> Tensor<2> {
        let _ = name;
        leaky_relu(input, slope)
    }

    /// Two rows of values as one: `[batch, a]` and `[batch, b]` to `[batch, a + b]`.
    fn join(&mut self, left: Tensor<2>, right: Tensor<2>) -> Tensor<2> {
        Tensor::cat(vec![left, right], 1)
    }

    /// The sum over all places of a picture: `[batch, channels, height, width]` to `[batch, channels]`.
    fn sum_places(&mut self, input: Tensor<4>) -> Tensor<2> {
        input.flatten::<3>(2, 3).sum_dim(2).squeeze_dim(2)
    }

    /// An activation that no layer before it could fuse, over `[batch, features]`.
    fn activation(&mut self, name: &str, activation: Activation, input: Tensor<2>) -> Tensor<2> {
        let _ = name;
        activation.forward(input)
    }

    /// Two paths that meet: the sum of equal shapes `[batch, tokens, features]`.
    fn add(&mut self, left: Tensor<3>, right: Tensor<3>) -> Tensor<3> {
        left + right
    }

    /// The pixels of a picture as a sequence, row after row: `[batch, channels, height, width]` to `[batch, height · width,
    /// channels]`.
    fn tokens(&mut self, picture: Tensor<4>) -> Tensor<3> {
        picture.flatten::<3>(2, 3).swap_dims(1, 2)
    }

    /// The mean over a sequence's tokens that are not hidden: `[batch, tokens, features]` to `[batch, features]`.
    fn mean_tokens(&mut self, input: Tensor<3>, padding: Option<&Padding>) -> Tensor<2> {
        match padding {
            Some(padding) => padding.mean(input),
            None => input.mean_dim(1).squeeze_dim(1),
        }
    }

    /// The first token of a sequence: `[batch, tokens, features]` to `[batch, features]`.
    fn first_token(&mut self, input: Tensor<3>) -> Tensor<2> {
        input.narrow(1, 0, 1).squeeze_dim(1)
    }

    /// Dropout over `[batch, features]`: the identity unless [`training`](Self::training).
    fn dropout(&mut self, layer: &Dropout, input: Tensor<2>) -> Tensor<2> {
        match self.training() {
            Some(rng) => layer.forward(input, rng),
            None => input,
        }
    }
}

/// Anything with a tapped forward pass: the networks here, or a Burn module of your own.
pub trait Tapped {
    /// The outputs for a batch of flattened inputs: `[batch, features]` to `[batch, outputs]`, before any softmax
    /// or sigmoid.
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2>;
}

/// Evaluation: each layer as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTap;

impl Tap for NoTap {
    fn answers_only(&self) -> bool {
        true
    }
}

/// Plain training: each layer as it is, with dropout drawn from `rng` and batch norm in training mode.
#[derive(Debug)]
pub struct Training {
    /// The generator of this step's dropout masks.
    pub rng: ChaCha8Rng,
}

impl Tap for Training {
    fn training(&mut self) -> Option<&mut ChaCha8Rng> {
        Some(&mut self.rng)
    }
}
