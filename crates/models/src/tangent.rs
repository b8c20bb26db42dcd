//! A tap that carries a direction through a network beside the input: derivatives forwards.

use burn::tensor::{Int, Tensor, module::linear};

use crate::{
    Activation,
    layers::{
        BatchNorm, Conv2d, ConvTranspose2d, Embedding, GanConv2d, GanLinear, LayerNorm, Linear, MaxPool2d,
        Padding, Positions, SelfAttention,
    },
    tap::Tap,
};

/// The second half of every batch is the derivative of the first half: of inputs `[x; v]` come outputs `[f(x); J v]`, where `J` is
/// the derivative of `f` at `x`. Both halves are functions of the weights, so that the gradient of `⟨w, J v⟩` by the weights, a
/// product with second derivatives of `f`, is one pass backwards.
///
/// It is for networks of fully connected layers, convolutions, activations, means, sums, larger pictures, batch norm by running
/// statistics, and [projections](crate::layers::Projection), whose classes stand twice, too. Any other layer panics.
///
/// R. E. Wengert: A simple automatic derivative evaluation program, 1964.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tangent;

/// Both halves of a batch.
fn halves<const D: usize>(batch: Tensor<D>) -> [Tensor<D>; 2] {
    let half = batch.dims()[0] / 2;
    [batch.clone().narrow(0, 0, half), batch.narrow(0, half, half)]
}

/// Adds a bias, shaped as one example, to the first half.
fn add<const D: usize>(product: Tensor<D>, bias: Tensor<D>) -> Tensor<D> {
    let (rows, device) = (product.dims()[0], product.device());
    let mut shape = [1; D];
    shape[0] = rows / 2;
    let first = Tensor::cat(vec![Tensor::ones(shape, &device), Tensor::zeros(shape, &device)], 0);
    product + first * bias
}

/// An activation of the first half, and its derivative there times the second.
fn activate<const D: usize>(activation: Activation, input: Tensor<D>) -> Tensor<D> {
    let [x, v] = halves(input.clone());
    let (value, slope) = match activation {
        Activation::Identity => return input,
        Activation::Relu => return leak(0.0, input),
        Activation::LeakyRelu => return leak(0.01, input),
        Activation::Tanh => {
            let y = activation.forward(x);
            (y.clone(), y.square().neg().add_scalar(1.0))
        }
        Activation::Sigmoid => {
            let y = activation.forward(x);
            (y.clone(), y.clone() - y.square())
        }
        Activation::Silu => {
            let s = Activation::Sigmoid.forward(x.clone());
            let rest = s.clone().neg().add_scalar(1.0);
            (x.clone() * s.clone(), s * (x * rest).add_scalar(1.0))
        }
        Activation::Gelu => {
            let below = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0) * 0.5;
            let density = (x.clone().square() * -0.5).exp() / std::f64::consts::TAU.sqrt();
            (x.clone() * below.clone(), below + x * density)
        }
    };
    Tensor::cat(vec![value, slope * v], 0)
}

/// `x` and `v` where `x` is positive, `slope` times them elsewhere.
fn leak<const D: usize>(slope: f64, input: Tensor<D>) -> Tensor<D> {
    let half = input.dims()[0] / 2;
    let positive = input.clone().narrow(0, 0, half).greater_elem(0.0).float();
    let factor = positive.mul_scalar(1.0 - slope).add_scalar(slope);
    input * Tensor::cat(vec![factor.clone(), factor], 0)
}

#[cold]
fn unknown(layer: &str) -> ! {
    panic!("`{layer}` is of a kind that no direction is carried through")
}

impl Tap for Tangent {
    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        let product = linear(input, layer.weight.val().transpose(), None);
        activate(activation, add(product, layer.bias.val().unsqueeze_dim(0)))
    }

    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let bias = layer.bias.val();
        let channels = bias.dims()[0];
        let product = layer.forward_with(input, layer.weight.val(), bias.zeros_like());
        activate(activation, add(product, bias.reshape([1, channels, 1, 1])))
    }

    fn gan_linear(&mut self, layer: &GanLinear, input: Tensor<2>) -> Tensor<2> {
        let product = layer.product(input);
        match &layer.bias {
            Some(bias) => add(product, bias.val().unsqueeze_dim(0)),
            None => product,
        }
    }

    fn gan_conv2d(&mut self, layer: &GanConv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let product = layer.product(input);
        let sum = match &layer.bias {
            Some(bias) => {
                let channels = bias.dims()[0];
                add(product, bias.val().reshape([1, channels, 1, 1]))
            }
            None => product,
        };
        activate(activation, sum)
    }

    fn conv_transpose2d(&mut self, layer: &ConvTranspose2d, input: Tensor<4>) -> Tensor<4> {
        layer.forward(input)
    }

    fn batch_norm(&mut self, layer: &BatchNorm, input: Tensor<3>) -> Tensor<3> {
        let [scale, offset] = layer.affine().map(|values| {
            let channels = values.dims()[0];
            values.reshape([1, channels, 1])
        });
        add(input * scale, offset)
    }

    fn leaky_relu(&mut self, _: &str, slope: f64, input: Tensor<2>) -> Tensor<2> {
        leak(slope, input)
    }

    fn activation(&mut self, _: &str, activation: Activation, input: Tensor<2>) -> Tensor<2> {
        activate(activation, input)
    }

    fn linear_tokens(&mut self, layer: &Linear, _: Tensor<3>, _: Activation) -> Tensor<3> {
        unknown(layer.name())
    }

    fn embedding(&mut self, layer: &Embedding, _: Tensor<2, Int>) -> Tensor<3> {
        unknown(layer.name())
    }

    fn self_attention(&mut self, layer: &SelfAttention, _: Tensor<3>, _: Option<&Padding>) -> Tensor<3> {
        unknown(layer.name())
    }

    fn layer_norm(&mut self, layer: &LayerNorm, _: Tensor<3>) -> Tensor<3> {
        unknown(layer.name())
    }

    fn positions(&mut self, layer: &Positions, _: Tensor<3>) -> Tensor<3> {
        unknown(layer.name())
    }

    fn max_pool2d(&mut self, layer: &MaxPool2d, _: Tensor<4>) -> Tensor<4> {
        unknown(layer.name())
    }
}
