use burn::tensor::{Int, Tensor};
use crucible_models::{
    Activation, Tap, Training,
    layers::{
        AvgPool2d, BatchNorm, Conv2d, Embedding, LayerNorm, Linear, MaxPool2d, Padding, Positions,
        SelfAttention,
    },
};
use rand_chacha::ChaCha8Rng;

/// A tap that keeps one layer's output, `[batch, features]`, and changes nothing: within training where it is given the
/// tap of training, else without.
pub(super) struct Keep<'a> {
    layer: &'a str,
    training: Option<&'a mut Training>,
    kept: Option<Tensor<2>>,
}

impl<'a> Keep<'a> {
    pub(super) fn new(layer: &'a str, training: Option<&'a mut Training>) -> Self {
        Self { layer, training, kept: None }
    }

    /// What was kept; the layer must be one that the network has.
    pub(super) fn kept(self) -> Tensor<2> {
        self.kept.expect("whoever made the tap saw the layer in the network's summary")
    }

    fn see<const D: usize>(&mut self, name: &str, output: Tensor<D>) -> Tensor<D> {
        if name == self.layer && self.kept.is_none() {
            let [batch, features] = [output.dims()[0], output.dims()[1..].iter().product()];
            self.kept = Some(output.clone().reshape([batch, features]));
        }
        output
    }
}

impl Tap for Keep<'_> {
    fn training(&mut self) -> Option<&mut ChaCha8Rng> {
        self.training.as_deref_mut().and_then(Tap::training)
    }

    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        self.see(layer.name(), layer.forward(input, activation))
    }

    fn linear_tokens(&mut self, layer: &Linear, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        self.see(layer.name(), layer.forward_tokens(input, activation))
    }

    fn embedding(&mut self, layer: &Embedding, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.see(layer.name(), layer.forward(tokens))
    }

    fn self_attention(
        &mut self,
        layer: &SelfAttention,
        packed: Tensor<3>,
        padding: Option<&Padding>,
    ) -> Tensor<3> {
        self.see(layer.name(), layer.attend(packed, padding))
    }

    fn layer_norm(&mut self, layer: &LayerNorm, input: Tensor<3>) -> Tensor<3> {
        self.see(layer.name(), layer.forward(input))
    }

    fn positions(&mut self, layer: &Positions, input: Tensor<3>) -> Tensor<3> {
        self.see(layer.name(), layer.forward(input))
    }

    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        self.see(layer.name(), layer.forward(input, activation))
    }

    fn batch_norm(&mut self, layer: &BatchNorm, input: Tensor<3>) -> Tensor<3> {
        let training = self.training().is_some();
        self.see(layer.name(), layer.forward(input, training))
    }

    fn max_pool2d(&mut self, layer: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        self.see(layer.name(), layer.forward(input))
    }

    fn avg_pool2d(&mut self, layer: &AvgPool2d, input: Tensor<4>) -> Tensor<4> {
        self.see(layer.name(), layer.forward(input))
    }

    fn activation(&mut self, name: &str, activation: Activation, input: Tensor<2>) -> Tensor<2> {
        self.see(name, activation.forward(input))
    }
}
