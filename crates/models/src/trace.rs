//! A tap that writes down the forward pass as a graph.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    Activation, Tapped,
    layers::{
        AvgPool2d, BatchNorm, Conv2d, Embedding, LayerNorm, Linear, MaxPool2d, Padding, Positions,
        SelfAttention,
    },
    tap::Tap,
};

/// A forward pass as the operations that a tap meets, in their order.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Values of one input.
    pub features: usize,
    /// The operations. Each reads the input or the outputs of operations before it.
    pub nodes: Vec<Node>,
    /// What the network returns.
    pub output: Value,
}

/// A tensor of a forward pass: the input, or the output of the node of this index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// The network's input.
    Input,
    /// What a node gives.
    Node(usize),
}

/// One operation of a [`Graph`].
#[derive(Debug, Clone)]
pub struct Node {
    /// The layer's name, such as `fc1`; for what is no layer, its kind and its number.
    pub name: String,
    /// What it does.
    pub operation: Operation,
    /// What it reads.
    pub inputs: Vec<Read>,
    /// The output's shape without the batch.
    pub shape: Vec<usize>,
}

/// How a node reads a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Which.
    pub value: Value,
    /// Its shape as the node sees it, without the batch: the same values in the same order.
    pub shape: Vec<usize>,
}

/// What a [`Node`] does, with the layer that it does it by. Dropout does nothing in evaluation and is no node.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Operation {
    /// A fully connected layer over the last axis, and an activation.
    Linear(Linear, Activation),
    /// A convolution and an activation.
    Conv2d(Conv2d, Activation),
    /// Batch normalization by running statistics, over `[channels, positions]`.
    BatchNorm(BatchNorm),
    /// Layer normalization.
    LayerNorm(LayerNorm),
    /// The heads of an attention layer.
    SelfAttention(SelfAttention),
    /// Learned positions.
    Positions(Positions),
    /// Maximum over windows.
    MaxPool2d(MaxPool2d),
    /// Mean over windows.
    AvgPool2d(AvgPool2d),
    /// An activation by itself.
    Activation(Activation),
    /// The sum of two values.
    Add,
    /// The pixels of a picture as a sequence.
    Tokens,
    /// The mean over a sequence.
    MeanTokens,
}

/// Why a forward pass is no graph of tapped operations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Untapped {
    /// An operation reads what no operation before it gave.
    #[error("the network computes what {reader} reads outside its tap")]
    Reader {
        /// The layer that reads it, or "its output" for the network's own.
        reader: String,
    },
    /// The inputs are the numbers of tokens.
    #[error("`{layer}` looks tokens up by their numbers, and a graph holds operations on floats alone")]
    Tokens {
        /// The layer that looks them up.
        layer: String,
    },
}

impl Graph {
    /// Traces `network` for inputs of `features` values.
    ///
    /// Two random inputs go through the network, and a value is known again by its bits; so a network may reshape between
    /// taps as it likes.
    ///
    /// # Errors
    ///
    /// Where an operation reads what no tapped operation has given, or the inputs are the numbers of tokens.
    pub fn trace(network: &impl Tapped, features: usize, device: &Device) -> Result<Self, Untapped> {
        const EXAMPLES: usize = 2;
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let input: Vec<f32> = (0..EXAMPLES * features).map(|_| rng.random::<f32>() - 0.5).collect();
        let input = Tensor::<2>::from_data(TensorData::new(input, [EXAMPLES, features]), device);
        let mut tap = Trace { seen: HashMap::from([(print(&input), Value::Input)]), ..Trace::default() };
        let output = network.forward(input, &mut tap);
        let output = tap.find(&output, "its output").value;
        match tap.untapped {
            Some(untapped) => Err(untapped),
            None => Ok(Self { features, nodes: tap.nodes, output }),
        }
    }

    /// The nodes that read a value.
    pub fn readers(&self, value: Value) -> impl Iterator<Item = usize> + '_ {
        let reads = move |node: &Node| node.inputs.iter().any(|read| read.value == value);
        self.nodes.iter().enumerate().filter(move |(_, node)| reads(node)).map(|(index, _)| index)
    }

    /// A value's shape without the batch.
    #[must_use]
    pub fn shape(&self, value: Value) -> Vec<usize> {
        match value {
            Value::Input => vec![self.features],
            Value::Node(index) => self.nodes[index].shape.clone(),
        }
    }

    /// The same graph with every activation as a node of its own, named after its layer: `fc1.activation`.
    #[must_use]
    pub fn split_activations(&self) -> Self {
        let mut nodes: Vec<Node> = Vec::new();
        let mut places = Vec::with_capacity(self.nodes.len());
        let moved = |value: Value, places: &[usize]| match value {
            Value::Input => Value::Input,
            Value::Node(index) => Value::Node(places[index]),
        };
        for node in &self.nodes {
            let mut node = node.clone();
            for read in &mut node.inputs {
                read.value = moved(read.value, &places);
            }
            let activation = match &mut node.operation {
                Operation::Linear(_, activation) | Operation::Conv2d(_, activation) => {
                    std::mem::replace(activation, Activation::Identity)
                }
                _ => Activation::Identity,
            };
            let (name, shape) = (format!("{}.activation", node.name), node.shape.clone());
            nodes.push(node);
            if activation != Activation::Identity {
                let inputs = vec![Read { value: Value::Node(nodes.len() - 1), shape: shape.clone() }];
                nodes.push(Node { name, operation: Operation::Activation(activation), inputs, shape });
            }
            places.push(nodes.len() - 1);
        }
        Self { features: self.features, output: moved(self.output, &places), nodes }
    }

    /// The same graph without the nodes that `drop` names, each of which reads one value: what read them reads that.
    #[must_use]
    pub fn without(&self, drop: impl Fn(&Node) -> bool) -> Self {
        let mut nodes: Vec<Node> = Vec::new();
        let mut places: Vec<Value> = Vec::with_capacity(self.nodes.len());
        let moved = |value: Value, places: &[Value]| match value {
            Value::Input => Value::Input,
            Value::Node(index) => places[index],
        };
        for node in &self.nodes {
            let mut node = node.clone();
            for read in &mut node.inputs {
                read.value = moved(read.value, &places);
            }
            match node.inputs.as_slice() {
                [read] if drop(&node) => places.push(read.value),
                _ => {
                    nodes.push(node);
                    places.push(Value::Node(nodes.len() - 1));
                }
            }
        }
        Self { features: self.features, output: moved(self.output, &places), nodes }
    }

    /// The name of a value: `input`, or its node's.
    #[must_use]
    pub fn name(&self, value: Value) -> &str {
        match value {
            Value::Input => "input",
            Value::Node(index) => &self.nodes[index].name,
        }
    }

    /// Every value for a batch of inputs `[batch, features]`, in turn handed to `see` as `[batch, values]`, and the
    /// network's output. What follows computes with what `see` returns.
    pub fn forward(&self, input: Tensor<2>, mut see: impl FnMut(Value, Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        let mut values = Vec::with_capacity(self.nodes.len());
        let input = see(Value::Input, input);
        for (index, node) in self.nodes.iter().enumerate() {
            let reads = node.inputs.iter().map(|read| {
                let value = match read.value {
                    Value::Input => &input,
                    Value::Node(index) => &values[index],
                };
                (value.clone(), read.shape.as_slice())
            });
            let output = node.operation.forward(reads.collect());
            values.push(see(Value::Node(index), output));
        }
        match self.output {
            Value::Input => input,
            Value::Node(index) => values.swap_remove(index),
        }
    }
}

impl Operation {
    /// The output for inputs `[batch, values]` that are read in their shapes, as `[batch, values]`.
    ///
    /// # Panics
    ///
    /// Where there are fewer inputs than it reads, or they do not have these shapes.
    #[must_use]
    pub fn forward(&self, inputs: Vec<(Tensor<2>, &[usize])>) -> Tensor<2> {
        let mut inputs = inputs.into_iter();
        let mut next = || inputs.next().expect("as many inputs as the operation was traced with");
        match self {
            Self::Linear(layer, activation) => match next() {
                (x, [_]) => layer.forward(x, *activation),
                (x, shape) => flat(layer.forward_tokens(shaped(x, shape), *activation)),
            },
            Self::Conv2d(layer, activation) => flat(layer.forward(read(next()), *activation)),
            Self::BatchNorm(layer) => flat(layer.forward(read(next()), false)),
            Self::LayerNorm(layer) => flat(layer.forward(read(next()))),
            Self::SelfAttention(layer) => flat(layer.attend(read(next()), None)),
            Self::Positions(layer) => flat(layer.forward(read(next()))),
            Self::MaxPool2d(layer) => flat(layer.forward(read(next()))),
            Self::AvgPool2d(layer) => flat(layer.forward(read(next()))),
            Self::Activation(activation) => activation.forward(next().0),
            Self::Add => next().0 + next().0,
            Self::Tokens => flat(crate::NoTap.tokens(read(next()))),
            Self::MeanTokens => crate::NoTap.mean_tokens(read(next()), None),
        }
    }
}

fn read<const D: usize>((x, shape): (Tensor<2>, &[usize])) -> Tensor<D> {
    shaped(x, shape)
}

fn shaped<const D: usize>(x: Tensor<2>, shape: &[usize]) -> Tensor<D> {
    let batch = x.dims()[0];
    let mut sides = [batch; D];
    sides[1..].copy_from_slice(shape);
    x.reshape(sides)
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    let dims = x.dims();
    x.reshape([dims[0], dims[1..].iter().product()])
}

#[derive(Default)]
struct Trace {
    nodes: Vec<Node>,
    seen: HashMap<u64, Value>,
    untapped: Option<Untapped>,
}

impl Trace {
    fn find<const D: usize>(&mut self, tensor: &Tensor<D>, reader: &str) -> Read {
        let value = self.seen.get(&print(tensor)).copied();
        if value.is_none() && self.untapped.is_none() {
            self.untapped = Some(Untapped::Reader { reader: reader.to_owned() });
        }
        Read { value: value.unwrap_or(Value::Input), shape: tensor.dims()[1..].to_vec() }
    }

    /// Records one operation, and passes its output on.
    fn node<const D: usize>(
        &mut self,
        name: &str,
        operation: Operation,
        inputs: Vec<Read>,
        output: Tensor<D>,
    ) -> Tensor<D> {
        self.seen.insert(print(&output), Value::Node(self.nodes.len()));
        let shape = output.dims()[1..].to_vec();
        self.nodes.push(Node { name: name.to_owned(), operation, inputs, shape });
        output
    }

    /// A name for what is no layer.
    fn numbered(&self, kind: &str) -> String {
        let named = |node: &&Node| node.name.trim_end_matches(|c: char| c.is_ascii_digit()) == kind;
        format!("{kind}{}", self.nodes.iter().filter(named).count() + 1)
    }
}

/// A value's bits, whatever its shape.
fn print<const D: usize>(tensor: &Tensor<D>) -> u64 {
    let values = tensor.clone().into_data().try_to_vec::<f32>().expect("networks here hold f32");
    let mut hasher = DefaultHasher::new();
    values.iter().for_each(|value| value.to_bits().hash(&mut hasher));
    hasher.finish()
}

impl Tap for Trace {
    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        let reads = vec![self.find(&input, layer.name())];
        let output = layer.forward(input, activation);
        self.node(layer.name(), Operation::Linear(layer.clone(), activation), reads, output)
    }

    fn linear_tokens(&mut self, layer: &Linear, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        let reads = vec![self.find(&input, layer.name())];
        let output = layer.forward_tokens(input, activation);
        self.node(layer.name(), Operation::Linear(layer.clone(), activation), reads, output)
    }

    fn embedding(&mut self, layer: &Embedding, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.untapped.get_or_insert_with(|| Untapped::Tokens { layer: layer.name().to_owned() });
        layer.forward(tokens)
    }

    fn self_attention(
        &mut self,
        layer: &SelfAttention,
        packed: Tensor<3>,
        padding: Option<&Padding>,
    ) -> Tensor<3> {
        let reads = vec![self.find(&packed, layer.name())];
        let output = layer.attend(packed, padding);
        self.node(layer.name(), Operation::SelfAttention(layer.clone()), reads, output)
    }

    fn layer_norm(&mut self, layer: &LayerNorm, input: Tensor<3>) -> Tensor<3> {
        let reads = vec![self.find(&input, layer.name())];
        let output = layer.forward(input);
        self.node(layer.name(), Operation::LayerNorm(layer.clone()), reads, output)
    }

    fn positions(&mut self, layer: &Positions, input: Tensor<3>) -> Tensor<3> {
        let reads = vec![self.find(&input, layer.name())];
        let output = layer.forward(input);
        self.node(layer.name(), Operation::Positions(layer.clone()), reads, output)
    }

    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let reads = vec![self.find(&input, layer.name())];
        let output = layer.forward(input, activation);
        self.node(layer.name(), Operation::Conv2d(layer.clone(), activation), reads, output)
    }

    fn batch_norm(&mut self, layer: &BatchNorm, input: Tensor<3>) -> Tensor<3> {
        let reads = vec![self.find(&input, layer.name())];
        let output = layer.forward(input, false);
        self.node(layer.name(), Operation::BatchNorm(layer.clone()), reads, output)
    }

    fn max_pool2d(&mut self, layer: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        let reads = vec![self.find(&input, layer.name())];
        let output = layer.forward(input);
        self.node(layer.name(), Operation::MaxPool2d(layer.clone()), reads, output)
    }

    fn avg_pool2d(&mut self, layer: &AvgPool2d, input: Tensor<4>) -> Tensor<4> {
        let reads = vec![self.find(&input, layer.name())];
        let output = layer.forward(input);
        self.node(layer.name(), Operation::AvgPool2d(layer.clone()), reads, output)
    }

    fn activation(&mut self, name: &str, activation: Activation, input: Tensor<2>) -> Tensor<2> {
        let reads = vec![self.find(&input, name)];
        let output = activation.forward(input);
        self.node(name, Operation::Activation(activation), reads, output)
    }

    fn add(&mut self, left: Tensor<3>, right: Tensor<3>) -> Tensor<3> {
        let name = self.numbered("add");
        let reads = vec![self.find(&left, &name), self.find(&right, &name)];
        self.node(&name, Operation::Add, reads, left + right)
    }

    fn tokens(&mut self, picture: Tensor<4>) -> Tensor<3> {
        let name = self.numbered("tokens");
        let reads = vec![self.find(&picture, &name)];
        let output = crate::NoTap.tokens(picture);
        self.node(&name, Operation::Tokens, reads, output)
    }

    fn mean_tokens(&mut self, input: Tensor<3>, padding: Option<&Padding>) -> Tensor<2> {
        let name = self.numbered("mean");
        let reads = vec![self.find(&input, &name)];
        let output = crate::NoTap.mean_tokens(input, padding);
        self.node(&name, Operation::MeanTokens, reads, output)
    }
}
