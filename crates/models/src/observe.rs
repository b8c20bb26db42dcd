//! A tap that shows every layer's output to a closure and changes nothing.

use burn::tensor::{Int, Tensor};

use crate::{
    Activation,
    layers::{
        AvgPool2d, BatchNorm, Conv2d, ConvTranspose2d, Dropout, Embedding, GanConv2d, GanLinear, LayerNorm,
        Linear, MaxPool2d, Padding, Positions, Projection, SelfAttention, Upsample2d,
    },
    tap::Tap,
};

/// A place in a forward pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site<'a> {
    /// The layer's name, such as `fc1`.
    pub name: &'a str,
    /// What kind of layer it is, in PyTorch's words.
    pub kind: &'static str,
    /// Learnable parameters.
    pub parameters: u64,
    /// Multiply-adds for one example.
    pub multiply_adds: u64,
    /// The output's shape without the batch.
    pub shape: Vec<usize>,
}

/// Calls a closure with each site and its output as `[batch, features]`, after the activation, in the order of the
/// forward pass.
#[derive(Debug)]
pub struct Observe<F>(pub F);

impl<F: FnMut(&Site<'_>, Tensor<2>)> Observe<F> {
    fn show<const D: usize>(
        &mut self,
        name: &str,
        kind: &'static str,
        parameters: usize,
        multiply_adds: u64,
        output: &Tensor<D>,
    ) {
        let dims = output.dims();
        let shape = dims[1..].to_vec();
        let features = shape.iter().product();
        let site = Site { name, kind, parameters: parameters as u64, multiply_adds, shape };
        (self.0)(&site, output.clone().reshape([dims[0], features]));
    }
}

impl<F: FnMut(&Site<'_>, Tensor<2>)> Tap for Observe<F> {
    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        let output = layer.forward(input, activation);
        self.show(layer.name(), "Linear", layer.parameters(), layer.multiply_adds(), &output);
        output
    }

    fn linear_tokens(&mut self, layer: &Linear, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        let output = layer.forward_tokens(input, activation);
        let multiply_adds = output.dims()[1] as u64 * layer.multiply_adds();
        self.show(layer.name(), "Linear", layer.parameters(), multiply_adds, &output);
        output
    }

    fn embedding(&mut self, layer: &Embedding, tokens: Tensor<2, Int>) -> Tensor<3> {
        let output = layer.forward(tokens);
        self.show(layer.name(), "Embedding", layer.weight.shape().num_elements(), 0, &output);
        output
    }

    fn self_attention(
        &mut self,
        layer: &SelfAttention,
        packed: Tensor<3>,
        padding: Option<&Padding>,
    ) -> Tensor<3> {
        let output = layer.attend(packed, padding);
        let multiply_adds = layer.multiply_adds(output.dims()[1]);
        self.show(layer.name(), "MultiheadAttention", 0, multiply_adds, &output);
        output
    }

    fn layer_norm(&mut self, layer: &LayerNorm, input: Tensor<3>) -> Tensor<3> {
        let output = layer.forward(input);
        let [features] = layer.weight.shape().dims();
        self.show(layer.name(), "LayerNorm", 2 * features, 0, &output);
        output
    }

    fn positions(&mut self, layer: &Positions, input: Tensor<3>) -> Tensor<3> {
        let output = layer.forward(input);
        self.show(layer.name(), "Embedding", layer.weight.shape().num_elements(), 0, &output);
        output
    }

    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let output = layer.forward(input, activation);
        let [_, _, height, width] = output.dims();
        let parameters = layer.weight.shape().num_elements() + layer.bias.shape().num_elements();
        self.show(layer.name(), "Conv2d", parameters, layer.multiply_adds([height, width]), &output);
        output
    }

    fn gan_linear(&mut self, layer: &GanLinear, input: Tensor<2>) -> Tensor<2> {
        let output = layer.forward(input, false);
        let multiply_adds = layer.weight.shape().num_elements() as u64;
        self.show(layer.name(), "Linear", layer.parameters(), multiply_adds, &output);
        output
    }

    fn gan_conv2d(&mut self, layer: &GanConv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let output = layer.forward(input, activation, false);
        let [_, _, height, width] = output.dims();
        self.show(layer.name(), "Conv2d", layer.parameters(), layer.multiply_adds([height, width]), &output);
        output
    }

    fn conv_transpose2d(&mut self, layer: &ConvTranspose2d, input: Tensor<4>) -> Tensor<4> {
        let output = layer.forward(input);
        self.show(layer.name(), "ConvTranspose2d", layer.parameters(), layer.multiply_adds(), &output);
        output
    }

    fn upsample2d(&mut self, layer: &Upsample2d, input: Tensor<4>) -> Tensor<4> {
        let output = layer.forward(input);
        self.show(layer.name(), "Upsample", 0, 0, &output);
        output
    }

    fn projection(&mut self, layer: &Projection, features: Tensor<2>, classes: Tensor<2, Int>) -> Tensor<2> {
        let multiply_adds = features.dims()[1] as u64;
        let output = layer.forward(features, classes, false);
        self.show(layer.name(), "Projection", layer.parameters(), multiply_adds, &output);
        output
    }

    fn batch_norm(&mut self, layer: &BatchNorm, input: Tensor<3>) -> Tensor<3> {
        let output = layer.forward(input, false);
        let [channels] = layer.weight.shape().dims();
        self.show(layer.name(), "BatchNorm", 2 * channels, 0, &output);
        output
    }

    fn max_pool2d(&mut self, layer: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        let output = layer.forward(input);
        self.show(layer.name(), "MaxPool2d", 0, 0, &output);
        output
    }

    fn avg_pool2d(&mut self, layer: &AvgPool2d, input: Tensor<4>) -> Tensor<4> {
        let output = layer.forward(input);
        self.show(layer.name(), "AvgPool2d", 0, 0, &output);
        output
    }

    fn activation(&mut self, name: &str, activation: Activation, input: Tensor<2>) -> Tensor<2> {
        let output = activation.forward(input);
        self.show(name, "Activation", 0, 0, &output);
        output
    }

    fn dropout(&mut self, layer: &Dropout, input: Tensor<2>) -> Tensor<2> {
        self.show(layer.name(), "Dropout", 0, 0, &input);
        input
    }
}
