//! A tap that runs each layer by Burn's own operations.

use burn::tensor::{
    Bool, Int, Tensor, activation,
    module::{avg_pool2d, conv2d, embedding, layer_norm, linear, max_pool2d},
    ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions},
};
use rand_chacha::ChaCha8Rng;

use crate::{
    Activation, Training,
    layers::{AvgPool2d, Conv2d, Embedding, LayerNorm, Linear, MaxPool2d, Padding, SelfAttention},
    tap::Tap,
};

/// Training without the fused kernels: what they are measured and tested against.
#[derive(Debug)]
pub struct Plain(pub Training);

fn activate<const D: usize>(function: Activation, x: Tensor<D>) -> Tensor<D> {
    match function {
        Activation::Identity => x,
        Activation::Relu => activation::relu(x),
        Activation::LeakyRelu => activation::leaky_relu(x, 0.01),
        Activation::Gelu => activation::gelu(x),
        Activation::Silu => activation::silu(x),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Tanh => x.tanh(),
    }
}

impl Tap for Plain {
    fn training(&mut self) -> Option<&mut ChaCha8Rng> {
        self.0.training()
    }

    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        activate(activation, linear(input, layer.weight.val().transpose(), Some(layer.bias.val())))
    }

    fn linear_tokens(&mut self, layer: &Linear, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        activate(activation, linear(input, layer.weight.val().transpose(), Some(layer.bias.val())))
    }

    fn embedding(&mut self, layer: &Embedding, tokens: Tensor<2, Int>) -> Tensor<3> {
        embedding(layer.weight.val(), tokens)
    }

    fn self_attention(
        &mut self,
        layer: &SelfAttention,
        packed: Tensor<3>,
        padding: Option<&Padding>,
    ) -> Tensor<3> {
        let ([batch, tokens, columns], heads) = (packed.dims(), layer.heads());
        let width = columns / 3;
        let parts = packed.chunk(3, 2).into_iter();
        let mut parts = parts.map(|x| x.reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2));
        let mut next = || parts.next().expect("three parts");
        let (query, key, value) = (next(), next(), next());
        let scores = query.matmul(key.transpose()) / ((width / heads) as f64).sqrt();
        let scores = match layer.is_causal() {
            true => {
                let hidden = Tensor::<2, Bool>::tril_mask([tokens, tokens], 0, &scores.device());
                scores.mask_fill(hidden.reshape([1, 1, tokens, tokens]), f32::NEG_INFINITY)
            }
            false => scores,
        };
        let scores = match padding {
            Some(padding) => {
                scores.mask_fill(padding.mask().reshape([batch, 1, 1, tokens]), f32::NEG_INFINITY)
            }
            None => scores,
        };
        let mixed = activation::softmax(scores, 3).matmul(value);
        mixed.swap_dims(1, 2).reshape([batch, tokens, width])
    }

    fn layer_norm(&mut self, layer: &LayerNorm, input: Tensor<3>) -> Tensor<3> {
        layer_norm(input, layer.weight.val(), Some(layer.bias.val()), layer.epsilon())
    }

    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let config = layer.config();
        let options = ConvOptions::new(config.stride, config.padding, config.dilation, config.groups);
        activate(activation, conv2d(input, layer.weight.val(), Some(layer.bias.val()), options))
    }

    fn max_pool2d(&mut self, layer: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        max_pool2d(input, MaxPoolOptions::new([layer.size(); 2]))
    }

    fn avg_pool2d(&mut self, layer: &AvgPool2d, input: Tensor<4>) -> Tensor<4> {
        avg_pool2d(input, AvgPoolOptions::new([layer.size(); 2]))
    }

    fn activation(&mut self, name: &str, activation: Activation, input: Tensor<2>) -> Tensor<2> {
        let _ = name;
        activate(activation, input)
    }
}
