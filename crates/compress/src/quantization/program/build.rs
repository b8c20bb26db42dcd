//! From a graph and an archive to a program.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use burn::tensor::Device;
use crucible_kernels::int8::{ConvShape, PackedWeights, Path, PoolShape};
use crucible_models::{Activation, Graph, Node, Operation, Read, Value};

use super::{
    Kind, Program, Slot,
    product::{Dequantize, Layer, Product, Requantize},
    segments::segments,
    step::{Action, Step},
    weights::{channels_last, sums, table},
};
use crate::{
    Affine, Archive, Arithmetic, CompressError, Integers, Stored,
    parameters::{is_weighted, parameter},
};

/// Bytes of a value, and what they stand for.
#[derive(Debug, Clone, Copy)]
struct Held {
    slot: usize,
    affine: Affine,
}

/// How the bytes of a value lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    /// As everywhere: channels first.
    Plain,
    /// A picture with its channels last.
    ChannelsLast,
}

pub(super) struct Builder<'a> {
    graph: &'a Graph,
    archive: &'a Archive,
    steps: Vec<Step>,
    slots: Vec<Slot>,
    floats: BTreeMap<Value, usize>,
    bytes: BTreeMap<(Value, Order), Held>,
    held: BTreeSet<String>,
}

/// A layer in integers.
struct Quantized<'a> {
    node: &'a Node,
    weights: &'a Integers,
    bias: &'a [f32],
}

impl<'a> Builder<'a> {
    /// `graph` has its activations as nodes of their own, and no folded batch norm.
    pub(super) fn new(graph: &'a Graph, archive: &'a Archive) -> Self {
        let input = Slot { kind: Kind::Floats, length: graph.features, all: true };
        Self {
            graph,
            archive,
            steps: Vec::new(),
            slots: vec![input],
            floats: [(Value::Input, 0)].into(),
            bytes: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    pub(super) fn program(mut self, device: &Device) -> Result<Program, CompressError> {
        let mut done = BTreeSet::new();
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if done.contains(&index) {
                continue;
            }
            match (self.quantized(node)?, &self.archive.arithmetic) {
                (Some(layer), Arithmetic::Static { values }) => {
                    done.extend(self.integers(index, &layer, values)?);
                }
                (Some(layer), Arithmetic::Dynamic) => done.extend(self.dynamic(index, &layer)),
                _ => {
                    let pooled = self.pool(index);
                    if !pooled {
                        self.in_floats(index)?;
                    }
                }
            }
        }
        let result = self.floats[&self.graph.output];
        let segments = segments(self.steps, &mut self.slots);
        let (features, outputs) = (self.graph.features, self.slots[result].length);
        let (path, spare) = (Path::best(), Mutex::default());
        let (slots, held, device) = (self.slots, self.held, device.clone());
        Ok(Program { features, outputs, segments, slots, result, held, path, device, spare })
    }

    /// A node's integers, if it has them and computes with them.
    fn quantized(&self, node: &'a Node) -> Result<Option<Quantized<'a>>, CompressError> {
        if !is_weighted(node) || self.archive.arithmetic == Arithmetic::Float {
            return Ok(None);
        }
        let lacks = |name: &str| CompressError::Lacks { what: name.to_owned() };
        let (name, bias) = (parameter(node, "weight"), parameter(node, "bias"));
        let Stored::Channels(weights) = self.archive.tensors.get(&name).ok_or_else(|| lacks(&name))? else {
            return Ok(None);
        };
        match self.archive.tensors.get(&bias) {
            Some(Stored::Float(bias)) => Ok(Some(Quantized { node, weights, bias: &bias.values })),
            _ => Err(lacks(&bias)),
        }
    }

    /// How a layer in integers wants the value that it reads, or none where it must come from floats.
    fn order(&self, read: &Read, is_picture: bool) -> Option<Order> {
        let shape = self.graph.shape(read.value);
        match (is_picture, shape.as_slice(), read.shape.as_slice()) {
            (true, held, wanted) if held == wanted => Some(Order::ChannelsLast),
            // Reading a picture whole, a layer can have its weights in another order.
            (false, [_, _, _], [_]) => Some(Order::ChannelsLast),
            (false, [_, _, _], _) | (true, ..) => None,
            (false, ..) => Some(Order::Plain),
        }
    }

    /// Whether a value is only ever read by what reads bytes.
    fn wanted_as_bytes(&self, value: Value) -> bool {
        let mut readers = self.graph.readers(value).peekable();
        self.graph.output != value
            && readers.peek().is_some()
            && readers.all(|index| {
                let node = &self.graph.nodes[index];
                match &node.operation {
                    Operation::MaxPool2d(_) | Operation::AvgPool2d(_) => {
                        self.wanted_as_bytes(Value::Node(index))
                    }
                    Operation::Conv2d(..) | Operation::Linear(..) => {
                        let is_picture = matches!(node.operation, Operation::Conv2d(..));
                        matches!(self.quantized(node), Ok(Some(_)))
                            && self.order(&node.inputs[0], is_picture).is_some()
                    }
                    _ => false,
                }
            })
    }

    /// The activation that alone reads a layer's output, and its node.
    fn activation(&self, index: usize) -> Option<(usize, Activation)> {
        let value = Value::Node(index);
        let mut readers = self.graph.readers(value);
        match (readers.next(), readers.next()) {
            (Some(next), None) if self.graph.output != value => match self.graph.nodes[next].operation {
                Operation::Activation(activation) => Some((next, activation)),
                _ => None,
            },
            _ => None,
        }
    }

    /// A layer by ranges that were chosen once; the node of the activation that it took along.
    fn integers(
        &mut self,
        index: usize,
        layer: &Quantized<'_>,
        values: &BTreeMap<String, Affine>,
    ) -> Result<Option<usize>, CompressError> {
        let is_picture = matches!(layer.node.operation, Operation::Conv2d(..));
        let read = &layer.node.inputs[0];
        let (input, order) = self.read_bytes(read, is_picture, values)?;
        let product = self.product(layer, order);
        let sums = sums(layer.weights);
        let zero = input.affine.zero;
        let offset = |sum: &i32| i32::from(zero).wrapping_mul(*sum).wrapping_neg();
        let scale: Vec<f32> =
            layer.weights.scales.iter().map(|weights| weights * input.affine.scale).collect();
        let activation = self.activation(index);

        let target = activation.map_or(index, |(node, _)| node);
        if self.wanted_as_bytes(Value::Node(target)) {
            let affine = self.range(Value::Node(target), values)?;
            let (table, between) = match activation {
                None | Some((_, Activation::Relu)) => (None, affine),
                Some((_, activation)) => {
                    let between = self.range(Value::Node(index), values)?;
                    (Some(Box::new(table(activation, between, affine))), between)
                }
            };
            // Multiples of the products' scale.
            let bias =
                layer.bias.iter().zip(&scale).map(|(bias, scale)| (bias / scale).round_ties_even() as i32);
            let stage = Requantize {
                offset: bias.zip(&sums).map(|(bias, sum)| bias.wrapping_add(offset(sum))).collect(),
                multiplier: scale.iter().map(|scale| scale / between.scale).collect(),
                zero: between.zero,
                low: if activation.is_some_and(|(_, a)| a == Activation::Relu) { between.zero } else { 0 },
                table,
            };
            let order = if is_picture { Order::ChannelsLast } else { Order::Plain };
            let slot = self.hold(Value::Node(target), order, affine);
            self.step(Action::Integers { product, zero, stage }, vec![input.slot], slot);
            return Ok(activation.map(|(node, _)| node));
        }
        let relu = activation.filter(|(_, activation)| *activation == Activation::Relu);
        let target = relu.map_or(index, |(node, _)| node);
        let offset = sums.iter().map(offset).collect();
        let stage = Dequantize { offset, scale, bias: layer.bias.to_vec(), relu: relu.is_some() };
        let slot = self.float(Value::Node(target));
        self.step(Action::Leave { product, zero, stage }, vec![input.slot], slot);
        Ok(relu.map(|(node, _)| node))
    }

    /// A layer by ranges of each example.
    fn dynamic(&mut self, index: usize, layer: &Quantized<'_>) -> Option<usize> {
        let relu = self.activation(index).filter(|(_, activation)| *activation == Activation::Relu);
        let product = self.product(layer, Order::Plain);
        let action = Action::Dynamic {
            product,
            scales: layer.weights.scales.clone(),
            sums: sums(layer.weights),
            bias: layer.bias.to_vec(),
            relu: relu.is_some(),
        };
        let from = self.floats[&layer.node.inputs[0].value];
        let to = self.float(Value::Node(relu.map_or(index, |(node, _)| node)));
        self.step(action, vec![from], to);
        relu.map(|(node, _)| node)
    }

    /// A pool over bytes, if that is what it reads.
    fn pool(&mut self, index: usize) -> bool {
        let node = &self.graph.nodes[index];
        let size = match &node.operation {
            Operation::MaxPool2d(layer) => layer.size(),
            Operation::AvgPool2d(layer) => layer.size(),
            _ => return false,
        };
        let value = Value::Node(index);
        let Some(input) = self.bytes.get(&(node.inputs[0].value, Order::ChannelsLast)).copied() else {
            return false;
        };
        if !self.wanted_as_bytes(value) {
            return false;
        }
        let [channels, height, width] = picture(&node.inputs[0]);
        let shape = PoolShape { height, width, channels, size: [size; 2] };
        let action = match node.operation {
            Operation::MaxPool2d(_) => Action::MaxPool2d(shape),
            _ => Action::AvgPool2d(shape),
        };
        let slot = self.hold(value, Order::ChannelsLast, input.affine);
        self.step(action, vec![input.slot], slot);
        true
    }

    fn in_floats(&mut self, index: usize) -> Result<(), CompressError> {
        let node = &self.graph.nodes[index];
        let floats = |read: &Read| {
            let lacks =
                || CompressError::Lacks { what: format!("{} in floats", self.graph.name(read.value)) };
            self.floats.get(&read.value).copied().ok_or_else(lacks)
        };
        let from = node.inputs.iter().map(floats).collect::<Result<Vec<usize>, _>>()?;
        let shapes = node.inputs.iter().map(|read| read.shape.clone()).collect();
        let to = self.float(Value::Node(index));
        self.step(Action::Floats { operation: Box::new(node.operation.clone()), shapes }, from, to);
        Ok(())
    }

    /// The bytes that a layer reads, made from floats where they are not there, and how they lie.
    fn read_bytes(
        &mut self,
        read: &Read,
        is_picture: bool,
        values: &BTreeMap<String, Affine>,
    ) -> Result<(Held, Order), CompressError> {
        let there = self
            .order(read, is_picture)
            .and_then(|order| Some((*self.bytes.get(&(read.value, order))?, order)));
        if let Some(there) = there {
            return Ok(there);
        }
        // From floats, in the order that needs no other order of weights.
        let order = if is_picture { Order::ChannelsLast } else { Order::Plain };
        if let Some(held) = self.bytes.get(&(read.value, order)) {
            return Ok((*held, order));
        }
        let affine = self.range(read.value, values)?;
        let from = self.floats[&read.value];
        let to = self.hold(read.value, order, affine);
        let picture = is_picture.then(|| {
            let [channels, height, width] = picture(read);
            [channels, height * width]
        });
        self.step(Action::Quantize { affine, picture }, vec![from], to);
        Ok((Held { slot: to, affine }, order))
    }

    fn range(&mut self, value: Value, values: &BTreeMap<String, Affine>) -> Result<Affine, CompressError> {
        let name = self.graph.name(value);
        let lacks = || CompressError::Lacks { what: format!("the range of {name}") };
        let affine = values.get(name).copied().ok_or_else(lacks)?;
        self.held.insert(name.to_owned());
        Ok(affine)
    }

    fn product(&self, layer: &Quantized<'_>, order: Order) -> Product {
        let Quantized { node, weights, .. } = layer;
        let read = &node.inputs[0];
        let (outputs, inputs) = (weights.channels(), weights.inputs());
        match &node.operation {
            Operation::Conv2d(conv, _) => {
                let ([channels, height, width], config) = (picture(read), conv.config());
                let shape = ConvShape {
                    height,
                    width,
                    channels,
                    kernel: config.kernel,
                    stride: config.stride,
                    padding: config.padding,
                    dilation: config.dilation,
                };
                let values = channels_last(&weights.values, inputs, channels);
                Product {
                    weights: PackedWeights::conv2d(&values, outputs, &shape),
                    kind: Layer::Conv2d(shape),
                }
            }
            _ => {
                let shape = self.graph.shape(read.value);
                let values = match order {
                    Order::ChannelsLast => channels_last(&weights.values, inputs, shape[0]),
                    Order::Plain => weights.values.clone(),
                };
                Product { weights: PackedWeights::new(&values, outputs, inputs), kind: Layer::Linear }
            }
        }
    }

    fn length(&self, value: Value) -> usize {
        self.graph.shape(value).iter().product()
    }

    fn slot(&mut self, kind: Kind, length: usize) -> usize {
        self.slots.push(Slot { kind, length, all: true });
        self.slots.len() - 1
    }

    fn float(&mut self, value: Value) -> usize {
        let slot = self.slot(Kind::Floats, self.length(value));
        self.floats.insert(value, slot);
        slot
    }

    fn hold(&mut self, value: Value, order: Order, affine: Affine) -> usize {
        let slot = self.slot(Kind::Bytes, self.length(value));
        self.bytes.insert((value, order), Held { slot, affine });
        self.held.insert(self.graph.name(value).to_owned());
        slot
    }

    fn step(&mut self, action: Action, from: Vec<usize>, to: usize) {
        self.steps.push(Step { action, from, to });
    }
}

/// Channels, height and width of a picture that is read.
fn picture(read: &Read) -> [usize; 3] {
    read.shape.as_slice().try_into().expect("pictures have three axes")
}
