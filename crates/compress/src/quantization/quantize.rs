//! From a network of floats to one of integers.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    Graph, Network, Node, Operation, Value,
    weights::{self, HostTensor, State},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Affine, Observed, Program,
    calibration::{CalibrationConfig, Percentile},
    equalize::equalize,
    fold::{fold, integer_graph},
    observe,
};
use crate::{
    Archive, Arithmetic, CompressError, Stored,
    parameters::{is_weighted, parameter},
};

/// What to make integers, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuantizeConfig {
    /// Integers for the weights.
    pub weights: WeightFormat,
    /// Integers for the activations.
    pub activations: ActivationFormat,
    /// Balance neighbouring layers before.
    pub equalize: bool,
    /// Move biases by the mean error that the integers make.
    pub correct_biases: bool,
    /// Layers that stay in floats.
    pub keep: Vec<String>,
}

/// Integers for weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum WeightFormat {
    /// 8 bits, a scale for each output channel: what integer arithmetic needs.
    Channels,
    /// 4 or 8 bits, a scale for so many neighbours.
    Groups {
        /// 4 or 8.
        bits: u8,
        /// Neighbours that share a scale.
        group: usize,
    },
}

/// Integers for activations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ActivationFormat {
    /// None: weights alone are integers, and become floats when the network is loaded.
    Float,
    /// 8 bits, by a range that is found for each example anew.
    Dynamic,
    /// 8 bits, by a range that is chosen once, from the values seen on examples.
    Static {
        /// How it is chosen.
        calibration: CalibrationConfig,
    },
}

impl Default for QuantizeConfig {
    fn default() -> Self {
        let calibration = CalibrationConfig::Percentile(Percentile::default());
        Self {
            weights: WeightFormat::Channels,
            activations: ActivationFormat::Static { calibration },
            equalize: false,
            correct_biases: true,
            keep: Vec::new(),
        }
    }
}

/// Sums of more products than this may not fit 32 bits.
const MOST_INPUTS: usize = 65_793;

/// Examples whose mean error moves a bias.
const CORRECTED_ON: usize = 256;

/// Quantizes `network`, whose activations are seen on `inputs` `[n, features]` as the network reads them.
///
/// # Errors
///
/// Where a setting makes no sense, there are no inputs but they are needed, the network or what it computes is not
/// finite, or a layer has no integer arithmetic and is not to be kept.
pub fn quantize(
    network: &Network,
    inputs: &[f32],
    features: usize,
    config: &QuantizeConfig,
    device: &Device,
) -> Result<Archive, CompressError> {
    let mut state = weights::collect(network);
    let sound = |tensor: &HostTensor| tensor.values.iter().all(|value| value.is_finite());
    if let Some((name, _)) = state.iter().find(|(_, tensor)| !sound(tensor)) {
        return Err(CompressError::NotFinite { what: name.clone() });
    }
    let graph = Graph::trace(network, features, device)?;
    let layers = chosen(&graph, config)?;
    let integers = config.activations != ActivationFormat::Float;
    if inputs.is_empty() && (integers || config.correct_biases) {
        return Err(CompressError::NoExamples);
    }

    fold(&graph, &mut state);
    if config.equalize {
        equalize(&network_graph(network, &state, features, device)?, &mut state);
    }
    let graph = network_graph(network, &state, features, device)?;

    let mut values = match &config.activations {
        ActivationFormat::Static { calibration } => ranges(&graph, inputs, calibration, device)?,
        ActivationFormat::Float | ActivationFormat::Dynamic => BTreeMap::new(),
    };
    let mut tensors: BTreeMap<String, Stored> = BTreeMap::new();
    for node in graph.nodes.iter().filter(|node| layers.contains(&node.name)) {
        let name = parameter(node, "weight");
        let stored = match config.weights {
            WeightFormat::Channels => {
                let input = values.get(graph.name(node.inputs[0].value));
                Stored::channels(&state[&name], &smallest_scales(&state[&parameter(node, "bias")], input))
            }
            WeightFormat::Groups { bits, group } => Stored::groups(&state[&name], bits, group),
        };
        tensors.insert(name, stored);
    }
    if config.correct_biases {
        let rounded = rounded(&state, &tensors);
        let after = network_graph(network, &rounded, features, device)?;
        correct_biases(&graph, &after, &values, &inputs[..inputs.len().min(CORRECTED_ON * features)], device)
            .into_iter()
            .filter(|(node, _)| layers.contains(&graph.nodes[*node].name))
            .for_each(|(node, errors)| {
                let bias = state.get_mut(&parameter(&graph.nodes[node], "bias")).expect("a layer's");
                bias.values.iter_mut().zip(errors).for_each(|(bias, error)| *bias -= error);
            });
    }
    for (name, tensor) in state {
        tensors.entry(name).or_insert(Stored::Float(tensor));
    }
    let arithmetic = match &config.activations {
        ActivationFormat::Float => Arithmetic::Float,
        ActivationFormat::Dynamic => Arithmetic::Dynamic,
        ActivationFormat::Static { .. } => {
            let all = Archive { tensors, arithmetic: Arithmetic::Static { values: values.clone() } };
            let network = assigned(network, &all.state());
            let used = Program::new(&all, &network, features, device)?.held();
            values.retain(|name, _| used.contains(name));
            return Ok(Archive { tensors: all.tensors, arithmetic: Arithmetic::Static { values } });
        }
    };
    Ok(Archive { tensors, arithmetic })
}

/// The names of the layers to quantize.
fn chosen(graph: &Graph, config: &QuantizeConfig) -> Result<Vec<String>, CompressError> {
    if let WeightFormat::Groups { bits, group } = config.weights {
        if ![4, 8].contains(&bits) {
            return Err(CompressError::Bits(bits));
        }
        if group < 2 {
            return Err(CompressError::Group(group));
        }
    }
    if let ActivationFormat::Static { calibration } = &config.activations {
        calibration.calibration().check()?;
    }
    let all: Vec<&Node> = graph.nodes.iter().filter(|node| is_weighted(node)).collect();
    if let Some(name) = config.keep.iter().find(|name| !all.iter().any(|node| node.name == **name)) {
        let layers = all.iter().map(|node| node.name.clone()).collect();
        return Err(CompressError::NoLayer { name: name.clone(), layers });
    }
    let wanted: Vec<&Node> = all.into_iter().filter(|node| !config.keep.contains(&node.name)).collect();
    let integers = config.activations != ActivationFormat::Float;
    let without: Vec<_> =
        wanted.iter().filter_map(|node| Some((node.name.clone(), without_integers(node)?))).collect();
    if integers && !without.is_empty() {
        return Err(CompressError::Unsupported(without));
    }
    Ok(wanted.into_iter().map(|node| node.name.clone()).collect())
}

/// Why a layer has no integer arithmetic, if it has none.
fn without_integers(node: &Node) -> Option<&'static str> {
    let shape: Vec<usize> = match &node.operation {
        Operation::Linear(layer, _) => layer.weight.dims().to_vec(),
        Operation::Conv2d(layer, _) if layer.config().groups != 1 => {
            return Some("(a convolution in groups)");
        }
        Operation::Conv2d(layer, _) => layer.weight.dims().to_vec(),
        _ => return None,
    };
    (shape[1..].iter().product::<usize>() > MOST_INPUTS).then_some("(more inputs than 32 bits can sum)")
}

/// The network with these weights. They are its own, changed.
fn assigned(network: &Network, state: &State) -> Network {
    // Not a clone, which would share its running statistics with the caller's.
    weights::assign(network.valid(), state).expect("the network's own weights, changed")
}

/// The graph of the network with these weights: activations by themselves, folded batch norms left out.
fn network_graph(
    network: &Network,
    state: &State,
    features: usize,
    device: &Device,
) -> Result<Graph, CompressError> {
    integer_graph(&assigned(network, state), features, device)
}

/// The range of every activation, by name.
fn ranges(
    graph: &Graph,
    inputs: &[f32],
    calibration: &CalibrationConfig,
    device: &Device,
) -> Result<BTreeMap<String, Affine>, CompressError> {
    let observed = observe(graph, inputs, device);
    let sound = |seen: &Observed| seen.low.is_finite() && seen.high.is_finite();
    if let Some((value, _)) = observed.iter().find(|(_, seen)| !sound(seen)) {
        return Err(CompressError::NotFinite { what: format!("the activation {}", graph.name(*value)) });
    }
    let mut all: BTreeMap<String, Affine> = BTreeMap::new();
    for (value, seen) in observed {
        // What a pool gives lies in the range of what it reads, and is held by the same scale.
        let pooled = match value {
            Value::Node(index) => match &graph.nodes[index].operation {
                Operation::MaxPool2d(_) | Operation::AvgPool2d(_) => Some(graph.nodes[index].inputs[0].value),
                _ => None,
            },
            Value::Input => None,
        };
        let affine = match pooled {
            Some(source) => all[graph.name(source)],
            None => Affine::covering(calibration.calibration().range(&seen)),
        };
        all.insert(graph.name(value).to_owned(), affine);
    }
    Ok(all)
}

/// The least scale of each output channel at which its bias, in multiples of the products' scale, is far from overflow.
fn smallest_scales(bias: &HostTensor, input: Option<&Affine>) -> Vec<f32> {
    const LARGEST: f32 = (1u32 << 29) as f32;
    let scale = input.map_or(f32::INFINITY, |input| input.scale);
    bias.values.iter().map(|bias| bias.abs() / scale / LARGEST).collect()
}

/// The state with the stored tensors in the place of what they were made from.
fn rounded(state: &State, tensors: &BTreeMap<String, Stored>) -> State {
    let tensor = |(name, tensor): (&String, &HostTensor)| {
        let stored = tensors.get(name).map(Stored::dequantized);
        (name.clone(), stored.unwrap_or_else(|| tensor.clone()))
    };
    state.iter().map(tensor).collect()
}

/// By how much the outputs of each layer are too large in the mean, channel by channel, where weights are rounded and
/// activations held in `values`; every layer sees those before it corrected.
///
/// M. Nagel et al. 2019, section 4.2, with the means of examples.
fn correct_biases(
    before: &Graph,
    after: &Graph,
    values: &BTreeMap<String, Affine>,
    inputs: &[f32],
    device: &Device,
) -> BTreeMap<usize, Vec<f32>> {
    let input = || {
        let shape = [inputs.len() / before.features, before.features];
        Tensor::<2>::from_data(TensorData::new(inputs.to_vec(), shape), device)
    };
    let layer = |value: Value| match value {
        Value::Node(index) if is_weighted(&before.nodes[index]) => Some(index),
        _ => None,
    };
    let mut means = BTreeMap::new();
    let _ = before.forward(input(), |value, tensor| {
        if let Some(index) = layer(value) {
            means.insert(index, channel_means(&before.nodes[index], tensor.clone()));
        }
        tensor
    });
    let mut errors = BTreeMap::new();
    let _ = after.forward(input(), |value, mut tensor| {
        if let Some(index) = layer(value) {
            let node = &before.nodes[index];
            let error = channel_means(node, tensor.clone()) - means[&index].clone();
            errors.insert(
                index,
                error.clone().into_data().try_to_vec::<f32>().expect("networks here hold f32"),
            );
            tensor = less(node, tensor, error);
        }
        match values.get(before.name(value)) {
            Some(affine) => held(tensor, *affine),
            None => tensor,
        }
    });
    errors
}

/// How the values of a layer's output lie: channels, values before one, values after one.
fn layout(node: &Node) -> [usize; 3] {
    match (&node.operation, node.shape.as_slice()) {
        (Operation::Conv2d(..), [channels, height, width]) => [*channels, 1, height * width],
        (_, shape) => {
            let (channels, tokens) = shape.split_last().expect("at least one axis");
            [*channels, tokens.iter().product(), 1]
        }
    }
}

/// `[batch, values]` to `[channels]`.
fn channel_means(node: &Node, tensor: Tensor<2>) -> Tensor<1> {
    let ([channels, before, after], batch) = (layout(node), tensor.dims()[0]);
    let tensor: Tensor<3> = tensor.reshape([batch * before, channels, after]);
    tensor.mean_dim(2).mean_dim(0).reshape([channels])
}

/// Every channel less its error.
fn less(node: &Node, tensor: Tensor<2>, error: Tensor<1>) -> Tensor<2> {
    let ([channels, before, after], dims) = (layout(node), tensor.dims());
    let tensor: Tensor<3> = tensor.reshape([dims[0] * before, channels, after]);
    (tensor - error.reshape([1, channels, 1])).reshape(dims)
}

/// What is left of real numbers that are held in integers.
pub(crate) fn held(tensor: Tensor<2>, affine: Affine) -> Tensor<2> {
    let zero = f32::from(affine.zero);
    let integers = (tensor / affine.scale).round() + zero;
    (integers.clamp(0.0, 255.0) - zero) * affine.scale
}
