//! A network made ready for integers, and what integers make of it.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::Module;
use burn::tensor::Device;
use crucible_models::{
    Graph, Network, Node, Operation, Value,
    weights::{self, HostTensor, State},
};

use super::{
    ActivationFormat, Affine, Formats, Observed, Program, QuantizeConfig, WeightFormat,
    bias::mean_errors,
    calibration::CalibrationConfig,
    equalize::equalize,
    fold::{fold, integer_graph},
    observe,
};
use crate::{Archive, Arithmetic, CompressError, Stored, parameters::parameter};

/// Examples whose mean error moves a bias.
const CORRECTED_ON: usize = 256;

/// A network whose batch norms are folded and whose neighbouring layers are balanced, with the ranges of its activations.
#[derive(Debug)]
pub struct Prepared {
    network: Network,
    pub(super) graph: Graph,
    formats: Formats,
    pub(super) values: Ranges,
    /// Inputs whose errors move biases; empty where none does.
    sample: Vec<f32>,
    activations: ActivationFormat,
    device: Device,
}

/// How activations are held, by the name of what makes them.
pub(super) type Ranges = BTreeMap<String, Affine>;

/// Chosen scales of weights, by the layer's name.
pub(super) type Scales = BTreeMap<String, Vec<f32>>;

impl Prepared {
    /// Makes `network` ready, whose activations are seen on `inputs` `[n, features]` as the network reads them.
    ///
    /// # Errors
    ///
    /// Where a setting makes no sense, there are no inputs but they are needed, the network or what it computes is not
    /// finite, or a layer has no integer arithmetic and is not to be kept.
    pub fn new(
        network: &Network,
        inputs: &[f32],
        features: usize,
        config: &QuantizeConfig,
        device: &Device,
    ) -> Result<Self, CompressError> {
        let mut state = weights::collect(network);
        let sound = |tensor: &HostTensor| tensor.values.iter().all(|value| value.is_finite());
        if let Some((name, _)) = state.iter().find(|(_, tensor)| !sound(tensor)) {
            return Err(CompressError::NotFinite { what: name.clone() });
        }
        let graph = Graph::trace(network, features, device)?;
        let formats = config.formats(&graph)?;
        let integers = config.activations != ActivationFormat::Float;
        if inputs.is_empty() && (integers || config.correct_biases) {
            return Err(CompressError::NoExamples);
        }
        fold(&graph, &mut state);
        if config.equalize {
            equalize(&integer_graph(&assigned(network, &state), features, device)?, &mut state);
        }
        let network = assigned(network, &state);
        let graph = integer_graph(&network, features, device)?;
        let values = match &config.activations {
            ActivationFormat::Static { calibration } => ranges(&graph, inputs, calibration, device)?,
            ActivationFormat::Float | ActivationFormat::Dynamic => Ranges::new(),
        };
        let sampled = if config.correct_biases { inputs.len().min(CORRECTED_ON * features) } else { 0 };
        let (sample, activations) = (inputs[..sampled].to_vec(), config.activations.clone());
        Ok(Self { network, graph, formats, values, sample, activations, device: device.clone() })
    }

    /// The network in floats, ready.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The layers to quantize, and how.
    #[must_use]
    pub fn formats(&self) -> &Formats {
        &self.formats
    }

    /// The same with other layers to quantize, or otherwise.
    #[must_use]
    pub fn with_formats(self, formats: Formats) -> Self {
        Self { formats, ..self }
    }

    /// The network with the weights of these layers in integers, rounded to the nearest.
    ///
    /// # Errors
    ///
    /// Where the network lacks what its arithmetic needs.
    pub fn archive(&self, formats: &Formats) -> Result<Archive, CompressError> {
        let mut state = weights::collect(&self.network);
        let tensors = self.stored(&state, formats, &self.values, &Scales::new());
        if !self.sample.is_empty() {
            let rounded = assigned(&self.network, &rounded(&state, &tensors));
            let after = integer_graph(&rounded, self.graph.features, &self.device)?;
            let errors = mean_errors(&self.graph, &after, &self.values, &self.sample, &self.device);
            for (node, errors) in errors {
                let node = &self.graph.nodes[node];
                if formats.contains_key(&node.name) {
                    let bias = state.get_mut(&parameter(node, "bias")).expect("a layer's");
                    bias.values.iter_mut().zip(errors).for_each(|(bias, error)| *bias -= error);
                }
            }
        }
        self.packed(state, tensors, self.values.clone())
    }

    /// The weights of these layers in integers, with these scales where there are any.
    pub(super) fn stored(
        &self,
        state: &State,
        formats: &Formats,
        values: &Ranges,
        scales: &Scales,
    ) -> BTreeMap<String, Stored> {
        let store = |node: &Node| {
            let (name, format) = (parameter(node, "weight"), *formats.get(&node.name)?);
            let weight = &state[&name];
            let mut scales = scales.get(&node.name).cloned().unwrap_or_else(|| format.scales(weight));
            if format == WeightFormat::Channels {
                let input = values.get(self.graph.name(node.inputs[0].value));
                let least = smallest_scales(&state[&parameter(node, "bias")], input);
                scales.iter_mut().zip(least).for_each(|(scale, least)| *scale = scale.max(least));
            }
            Some((name, Stored::rounded(weight, format, scales)))
        };
        self.graph.nodes.iter().filter_map(store).collect()
    }

    /// The archive of a network with these weights, of which some are `tensors`.
    pub(super) fn packed(
        &self,
        state: State,
        mut tensors: BTreeMap<String, Stored>,
        mut values: Ranges,
    ) -> Result<Archive, CompressError> {
        for (name, tensor) in state {
            tensors.entry(name).or_insert(Stored::Float(tensor));
        }
        let arithmetic = match &self.activations {
            ActivationFormat::Float => Arithmetic::Float,
            ActivationFormat::Dynamic => Arithmetic::Dynamic,
            ActivationFormat::Static { .. } => {
                let all = Archive { tensors, arithmetic: Arithmetic::Static { values: values.clone() } };
                let network = assigned(&self.network, &all.state());
                let used = Program::new(&all, &network, self.graph.features, &self.device)?.held();
                values.retain(|name, _| used.contains(name));
                return Ok(Archive { tensors: all.tensors, arithmetic: Arithmetic::Static { values } });
            }
        };
        Ok(Archive { tensors, arithmetic })
    }

    /// What is held in bytes between layers where these weights are integers.
    pub(super) fn held(&self) -> Result<BTreeSet<String>, CompressError> {
        match self.archive(&self.formats)?.arithmetic {
            Arithmetic::Static { values } => Ok(values.into_keys().collect()),
            Arithmetic::Float | Arithmetic::Dynamic => Ok(BTreeSet::new()),
        }
    }
}

/// The network with these weights. They are its own, changed.
pub(super) fn assigned(network: &Network, state: &State) -> Network {
    // Not a clone, which would share its running statistics with the caller's.
    weights::assign(network.valid(), state).expect("the network's own weights, changed")
}

/// The range of every activation, by name.
fn ranges(
    graph: &Graph,
    inputs: &[f32],
    calibration: &CalibrationConfig,
    device: &Device,
) -> Result<Ranges, CompressError> {
    let observed = observe(graph, inputs, device);
    let sound = |seen: &Observed| seen.low.is_finite() && seen.high.is_finite();
    if let Some((value, _)) = observed.iter().find(|(_, seen)| !sound(seen)) {
        return Err(CompressError::NotFinite { what: format!("the activation {}", graph.name(*value)) });
    }
    let mut all = Ranges::new();
    for (value, seen) in observed {
        let affine = match source(graph, value) {
            pooled if pooled != value => all[graph.name(pooled)],
            _ => Affine::covering(calibration.calibration().range(&seen)),
        };
        all.insert(graph.name(value).to_owned(), affine);
    }
    Ok(all)
}

/// The value whose scale a value is held by: what a pool gives lies in the range of what it reads.
pub(super) fn source(graph: &Graph, value: Value) -> Value {
    match value {
        Value::Node(index) => match &graph.nodes[index].operation {
            Operation::MaxPool2d(_) | Operation::AvgPool2d(_) => {
                source(graph, graph.nodes[index].inputs[0].value)
            }
            _ => value,
        },
        Value::Input => value,
    }
}

/// The least scale of each output channel at which its bias, in multiples of the products' scale, is far from overflow.
fn smallest_scales(bias: &HostTensor, input: Option<&Affine>) -> Vec<f32> {
    const LARGEST: f32 = (1u32 << 29) as f32;
    let scale = input.map_or(f32::INFINITY, |input| input.scale);
    bias.values.iter().map(|bias| bias.abs() / scale / LARGEST).collect()
}

/// The state with the stored tensors in the place of what they were made from.
pub(super) fn rounded(state: &State, tensors: &BTreeMap<String, Stored>) -> State {
    let tensor = |(name, tensor): (&String, &HostTensor)| {
        let stored = tensors.get(name).map(Stored::dequantized);
        (name.clone(), stored.unwrap_or_else(|| tensor.clone()))
    };
    state.iter().map(tensor).collect()
}
