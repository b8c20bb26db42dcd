//! A network as a chain of layers, recorded during one forward pass, through which relevance is sent back.
//!
//! Gradients come from the whole network at once; the rules of guided backpropagation, DeepLIFT and LRP change what
//! happens at single layers, and Grad-CAM asks for the gradient at one of them. All of these go back layer by layer.

use burn::tensor::{Int, Tensor, TensorData};
use crucible_models::{
    Activation, Tap,
    layers::{
        AvgPool2d, BatchNorm, Conv2d, Embedding, LayerNorm, Linear, MaxPool2d, Padding, Positions,
        SelfAttention,
    },
};

use crate::{
    Attribution, Examples, ExplainError, Layers,
    op::{Op, flat},
};

/// Examples in one forward pass: all layers' outputs are kept.
const BATCH: usize = 64;

/// One layer with what it got and gave. An activation is a link of its own.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) op: Op,
    /// `[n, in]`.
    pub(crate) input: Tensor<2>,
    /// The input's shape with the batch.
    pub(crate) dims: Vec<usize>,
    /// `[n, out]`.
    pub(crate) output: Tensor<2>,
    /// The output's shape with the batch.
    pub(crate) output_dims: Vec<usize>,
}

impl Link {
    /// The gradient by the input, from the gradient by the output.
    pub(crate) fn pull_back(&self, gradient: Tensor<2>) -> Tensor<2> {
        self.op.pull_back(&self.input, &self.dims, gradient)
    }
}

/// All layers in order: the output of each is the input of the next.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) links: Vec<Link>,
    outputs: usize,
}

impl Chain {
    /// Runs the network on inputs `[n, features]`.
    pub(crate) fn record(layers: Layers<'_>, inputs: &[f32]) -> Result<Self, ExplainError> {
        let input = layers.input(inputs);
        let mut recorder = Recorder { links: Vec::new(), last: input.clone(), broken: None };
        let output = layers.network.forward(input, &mut recorder);
        if recorder.links.is_empty() {
            recorder.break_at("the input", "no layer passes through the tap");
        } else if !same(&output, &recorder.last) {
            recorder.break_at("the output", "it is not what the last layer gave");
        }
        match recorder.broken {
            Some((layer, why)) => Err(ExplainError::no_chain(&layer, why)),
            None => Ok(Self { outputs: output.dims()[1], links: recorder.links }),
        }
    }

    /// What the value that is explained changes by with each output, `[n, outputs]`.
    pub(crate) fn seed(&self, targets: &[usize]) -> Tensor<2> {
        let row = |&target: &usize| -> Vec<f32> {
            match self.outputs {
                1 => vec![if target == 1 { 1.0 } else { -1.0 }],
                outputs => (0..outputs).map(|class| f32::from(u8::from(class == target))).collect(),
            }
        };
        let values = TensorData::new(targets.iter().flat_map(row).collect(), [targets.len(), self.outputs]);
        Tensor::from_data(values, &self.output().device())
    }

    /// `[n, outputs]`.
    pub(crate) fn output(&self) -> Tensor<2> {
        self.links.last().expect("a chain has layers").output.clone()
    }

    /// Sends a value for each output back to before the link of number `to`, by a rule for each link.
    pub(crate) fn back(
        &self,
        seed: Tensor<2>,
        to: usize,
        mut rule: impl FnMut(usize, &Link, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let links = self.links.iter().enumerate().skip(to).rev();
        links.fold(seed, |value, (i, link)| rule(i, link, value))
    }
}

/// What `explain` finds for each batch, one after another: values `[batch, features]` from the network as it was recorded
/// on some inputs, and their classes.
pub(crate) fn by_batch(
    layers: Layers<'_>,
    on: &Examples<'_>,
    mut explain: impl FnMut(&Chain, &[usize]) -> Tensor<2>,
) -> Result<Attribution, ExplainError> {
    let mut values = Vec::with_capacity(on.inputs.len());
    for (inputs, targets) in batches(on) {
        let chain = Chain::record(layers, inputs)?;
        values.extend(host(explain(&chain, targets)));
    }
    Ok(Attribution::of(values))
}

/// Inputs and classes, some at a time.
pub(crate) fn batches<'a>(on: &Examples<'a>) -> impl Iterator<Item = (&'a [f32], &'a [usize])> {
    on.inputs.chunks(BATCH * on.features()).zip(on.targets.chunks(BATCH))
}

pub(crate) fn host(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("networks here hold f32")
}

/// The tap that records.
struct Recorder {
    links: Vec<Link>,
    last: Tensor<2>,
    broken: Option<(String, &'static str)>,
}

impl Recorder {
    fn layer<const D: usize, const E: usize>(
        &mut self,
        name: &str,
        op: Op,
        input: Tensor<D>,
        output: Tensor<E>,
        activation: Activation,
    ) -> Tensor<E> {
        let (dims, output_dims) = (input.dims().to_vec(), output.dims());
        let input = flat(input);
        if !same(&input, &self.last) {
            self.break_at(name, "its input is not what the layer before it gave");
        }
        let mut last = flat(output);
        self.push(name, op, (input, dims), (last.clone(), output_dims.to_vec()));
        if activation != Activation::Identity {
            let after = activation.forward(last.clone());
            let [before, shaped] = [last, after.clone()].map(|tensor| (tensor, output_dims.to_vec()));
            self.push(name, Op::Activation(activation), before, shaped);
            last = after;
        }
        self.last = last.clone();
        last.reshape(output_dims)
    }

    fn push(&mut self, name: &str, op: Op, input: (Tensor<2>, Vec<usize>), output: (Tensor<2>, Vec<usize>)) {
        let ((input, dims), (output, output_dims)) = (input, output);
        self.links.push(Link { name: name.to_owned(), op, input, dims, output, output_dims });
    }

    fn break_at(&mut self, layer: &str, why: &'static str) {
        self.broken.get_or_insert_with(|| (layer.to_owned(), why));
    }
}

impl Tap for Recorder {
    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        let output = layer.forward(input.clone(), Activation::Identity);
        self.layer(layer.name(), Op::Linear(layer.clone()), input, output, activation)
    }

    fn linear_tokens(&mut self, layer: &Linear, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        self.break_at(layer.name(), "it runs over tokens");
        layer.forward_tokens(input, activation)
    }

    fn embedding(&mut self, layer: &Embedding, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.break_at(layer.name(), "it looks tokens up by their numbers");
        layer.forward(tokens)
    }

    fn self_attention(
        &mut self,
        layer: &SelfAttention,
        packed: Tensor<3>,
        padding: Option<&Padding>,
    ) -> Tensor<3> {
        self.break_at(layer.name(), "it is an attention");
        layer.attend(packed, padding)
    }

    fn layer_norm(&mut self, layer: &LayerNorm, input: Tensor<3>) -> Tensor<3> {
        self.break_at(layer.name(), "it is a layer normalization");
        layer.forward(input)
    }

    fn positions(&mut self, layer: &Positions, input: Tensor<3>) -> Tensor<3> {
        self.break_at(layer.name(), "it adds positions to tokens");
        layer.forward(input)
    }

    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let output = layer.forward(input.clone(), Activation::Identity);
        self.layer(layer.name(), Op::Conv2d(layer.clone()), input, output, activation)
    }

    fn batch_norm(&mut self, layer: &BatchNorm, input: Tensor<3>) -> Tensor<3> {
        let output = layer.forward(input.clone(), false);
        self.layer(layer.name(), Op::BatchNorm(layer.clone()), input, output, Activation::Identity)
    }

    fn max_pool2d(&mut self, layer: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        let output = layer.forward(input.clone());
        self.layer(layer.name(), Op::MaxPool2d(layer.clone()), input, output, Activation::Identity)
    }

    fn avg_pool2d(&mut self, layer: &AvgPool2d, input: Tensor<4>) -> Tensor<4> {
        let output = layer.forward(input.clone());
        self.layer(layer.name(), Op::AvgPool2d(layer.clone()), input, output, Activation::Identity)
    }

    fn activation(&mut self, name: &str, activation: Activation, input: Tensor<2>) -> Tensor<2> {
        let output = activation.forward(input.clone());
        self.layer(name, Op::Activation(activation), input, output, Activation::Identity)
    }
}

/// Whether two tensors hold the same bits.
fn same(a: &Tensor<2>, b: &Tensor<2>) -> bool {
    a.dims() == b.dims() && a.to_data().as_bytes() == b.to_data().as_bytes()
}
