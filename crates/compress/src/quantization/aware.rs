//! Training that knows of its integers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use crucible_models::{
    Graph, Network, Node, Operation, Value,
    weights::{self, Path, State},
};
use crucible_train::{Batches, Moment, Ordinary, PlainLoss, RunFolder, TrainError, UpdateRule};

use super::{
    Prepared,
    fold::integer_graph,
    prepared::{assigned, rounded, source},
    steps::{Steps, hold, hold_weight},
};
use crate::{CompressError, parameters::parameter};

/// What a [`QuantizationAware`] leaves in the run folder when training has ended: the steps that it learned.
pub const STEPS: &str = "steps.safetensors";

/// Quantization-aware training: each forward pass is that of the integers, and the gradient passes by the rounding as if
/// there were none (the straight-through estimator). The step between two integers, of weights and of activations that are
/// held in bytes, is learned beside the weights.
///
/// Batch norms stay as they are, and nothing drops out. Where activations are floats, or are held by ranges that are found
/// for each example, the weights alone are rounded.
///
/// S. K. Esser et al.: Learned Step Size Quantization, 2020; here the logarithm of a step is learned, by Adam, so that no
/// step becomes negative and all learn at one rate (S. R. Jain et al.: Trained Quantization Thresholds, 2020).
pub struct QuantizationAware {
    prepared: Arc<Prepared>,
    /// The forward pass, tracked by autodiff, with layers whose parameters are replaced in each step.
    graph: Graph,
    /// The activations that are held in bytes.
    held: BTreeSet<String>,
    steps: Steps,
    order: Ordinary,
}

impl std::fmt::Debug for QuantizationAware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuantizationAware").field("held", &self.held).finish_non_exhaustive()
    }
}

impl QuantizationAware {
    /// Training of what [`Prepared::network`] gives, from the steps that rounding it to the nearest has.
    ///
    /// # Errors
    ///
    /// Where the network lacks what its arithmetic needs.
    pub fn new(prepared: Arc<Prepared>, device: &Device) -> Result<Self, CompressError> {
        let network = prepared.network().valid().train();
        let graph = integer_graph(&network, prepared.graph.features, &device.clone().autodiff())?;
        let held = prepared.held()?;
        let steps = Steps::new(&prepared, &held);
        Ok(Self { prepared, graph, held, steps, order: Ordinary::new(PlainLoss) })
    }

    /// The loss of a part of a step's examples.
    fn loss(
        &self,
        network: &Network,
        batches: &Batches<'_>,
        indices: &[u32],
        leaves: &BTreeMap<String, Tensor<2>>,
    ) -> Tensor<1> {
        let graph = self.bound(network, leaves);
        let outputs = graph.forward(batches.inputs(indices), |value, tensor| {
            let name = graph.name(value);
            // The largest of rounded values is one of them already.
            let rounded = matches!(value, Value::Node(index) if matches!(graph.nodes[index].operation, Operation::MaxPool2d(_)));
            if rounded || !self.held.contains(name) {
                return tensor;
            }
            let source = graph.name(source(&graph, value));
            let zero = self.prepared.values[source].zero;
            hold(tensor, leaves[&Steps::of_value(source)].clone(), zero)
        });
        batches.loss.forward(outputs, batches.targets(indices))
    }

    /// The forward pass with a network's parameters, those to quantize rounded.
    fn bound(&self, network: &Network, leaves: &BTreeMap<String, Tensor<2>>) -> Graph {
        let mut parameters = Parameters::default();
        network.visit(&mut parameters);
        let mut tensors = parameters.tensors;
        let mut graph = self.graph.clone();
        for node in &graph.nodes {
            let Some(format) = self.prepared.formats().get(&node.name) else { continue };
            let weight = tensors.get_mut(&parameter(node, "weight")).expect("a layer has a weight");
            let step = leaves[&Steps::of_weight(&node.name)].clone();
            let (channels, inputs) = (step.dims()[0], weight.dims()[0] / step.dims()[0]);
            let rounded = hold_weight(weight.clone().reshape([channels, inputs]), step, *format);
            *weight = rounded.reshape([channels * inputs]);
        }
        for node in &mut graph.nodes {
            bind(node, &tensors);
        }
        graph
    }
}

impl UpdateRule for QuantizationAware {
    fn state(&self) -> State {
        self.steps.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), String> {
        self.steps.restore(state)
    }

    fn sample(&mut self, batches: &Batches<'_>, moment: Moment) -> Result<Option<Vec<u32>>, TrainError> {
        self.order.sample(batches, moment)
    }

    fn gradient(
        &mut self,
        network: &Network,
        batches: &Batches<'_>,
        indices: &[u32],
        moment: Moment,
    ) -> Result<(f64, GradientsParams), TrainError> {
        let leaves = self.steps.leaves(&batches.device);
        let (mut sum, mut of_steps, mut total) = (GradientsAccumulator::new(), BTreeMap::new(), 0.0);
        for part in indices.chunks(batches.batch_size) {
            let share = part.len() as f64 / indices.len() as f64;
            let loss = self.loss(network, batches, part, &leaves);
            total += share * f64::from(loss.clone().into_scalar::<f32>());
            let gradients = loss.mul_scalar(share).backward();
            self.steps.add(&leaves, &gradients, &mut of_steps);
            sum.accumulate(network, GradientsParams::from_grads(gradients, network));
        }
        self.steps.learn(&of_steps, moment);
        Ok((total, sum.grads()))
    }

    /// The weights rounded.
    fn deployed(&self, network: Network) -> Network {
        let (state, prepared) = (weights::collect(&network), &self.prepared);
        let scales = self.steps.scales(prepared);
        let tensors = prepared.stored(&state, prepared.formats(), &prepared.values, &scales);
        assigned(&network, &rounded(&state, &tensors))
    }

    fn finish(&mut self, _: &Network, folder: &RunFolder) -> Result<(), TrainError> {
        folder.write(STEPS, &weights::to_safetensors(&self.steps.state(), None))
    }
}

/// A network's parameters, flat, by name.
#[derive(Default)]
struct Parameters {
    path: Path,
    tensors: BTreeMap<String, Tensor<1>>,
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let count: usize = tensor.dims().iter().product();
        self.tensors.insert(self.path.name(), tensor.reshape([count]));
    }
}

/// Gives the layer of a node these parameters; batch norms keep theirs.
fn bind(node: &mut Node, tensors: &BTreeMap<String, Tensor<1>>) {
    let names = ["weight", "bias"].map(|name| parameter(node, name));
    let mut binding = Binding { names, tensors, path: Path::default() };
    node.operation = match node.operation.clone() {
        Operation::Linear(layer, activation) => Operation::Linear(layer.map(&mut binding), activation),
        Operation::Conv2d(layer, activation) => Operation::Conv2d(layer.map(&mut binding), activation),
        Operation::LayerNorm(layer) => Operation::LayerNorm(layer.map(&mut binding)),
        Operation::Positions(layer) => Operation::Positions(layer.map(&mut binding)),
        other => other,
    };
}

struct Binding<'a> {
    /// Of the weight and the bias.
    names: [String; 2],
    tensors: &'a BTreeMap<String, Tensor<1>>,
    path: Path,
}

impl ModuleMapper for Binding<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let [weight, bias] = &self.names;
        let tensor = &self.tensors[if self.path.name() == "bias" { bias } else { weight }];
        let shape = param.dims();
        Param::initialized(param.id, tensor.clone().reshape(shape))
    }
}
