//! Channels and units that are removed, with what reads them, so that tensors shrink.

use std::collections::BTreeMap;

use crucible_models::{
    Activation, Architecture, Graph, Operation, Value,
    architectures::{ConvnetConfig, Convolution, MlpConfig, Pooling},
    weights::{HostTensor, State},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_share;
use crate::{CompressError, parameters::parameter};

/// How the channels that go are chosen: those whose weights are the smallest (H. Li et al.: Pruning filters for efficient
/// convnets, 2017).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Structured {
    /// The size of a channel's weights.
    pub norm: Norm,
}

/// A norm of the weights into a channel or a unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// The sum of absolute values.
    #[default]
    L1,
    /// The root of the sum of squares.
    L2,
}

/// A smaller network.
#[derive(Debug, Clone, PartialEq)]
pub struct Shrunk {
    /// What builds it.
    pub architecture: Architecture,
    /// Its parameters.
    pub state: State,
}

/// Removes `share` of the output channels of every convolution and of the units of every fully connected layer but the
/// last, at least one of each staying, together with the weights that read them in the next layer.
///
/// `graph` and `state` are those of a network of `architecture`.
///
/// # Errors
///
/// Where the share is not between 0 and 1, or the architecture's widths cannot be changed.
pub fn shrink(
    architecture: &Architecture,
    graph: &Graph,
    state: &State,
    settings: &Structured,
    share: f64,
) -> Result<Shrunk, CompressError> {
    check_share(share)?;
    free_widths(architecture)?;
    let mut state = state.clone();
    let mut widths = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        if !matches!(node.operation, Operation::Linear(..) | Operation::Conv2d(..)) {
            continue;
        }
        let Some((between, reader)) = reader(graph, index)? else { continue };
        let weight = parameter(node, "weight");
        let kept = largest(&state[&weight], settings.norm, share);
        let channels = state[&weight].shape[0];
        let own = [weight, parameter(node, "bias")].into_iter();
        let norms = between
            .iter()
            .filter(|between| matches!(graph.nodes[**between].operation, Operation::BatchNorm(_)));
        let norms = norms.flat_map(|norm| {
            ["weight", "bias", "running_mean", "running_var"].map(|name| parameter(&graph.nodes[*norm], name))
        });
        for name in own.chain(norms) {
            change(&mut state, &name, |tensor| select(tensor, 0, 1, &kept));
        }
        // Behind a flattening each channel is as many inputs as it has positions.
        let name = parameter(&graph.nodes[reader], "weight");
        let positions = state[&name].shape[1] / channels;
        change(&mut state, &name, |tensor| select(tensor, 1, positions, &kept));
        widths.insert(node.name.clone(), kept.len());
    }
    Ok(Shrunk { architecture: narrowed(architecture, &widths), state })
}

fn free_widths(architecture: &Architecture) -> Result<(), CompressError> {
    match architecture {
        Architecture::Mlp(_) | Architecture::Cnn(_) | Architecture::Lenet5(_) | Architecture::Convnet(_) => {
            Ok(())
        }
        Architecture::Transformer(_) => Err(CompressError::FixedWidths(
            "what is added to each other in `transformer` must have one width",
        )),
        Architecture::Bert(_) => {
            Err(CompressError::FixedWidths("what is added to each other in `bert` must have one width"))
        }
    }
}

/// The layer that alone reads a layer's output, and the nodes on the way to it; `None` for the last layer.
fn reader(graph: &Graph, from: usize) -> Result<Option<(Vec<usize>, usize)>, CompressError> {
    let (mut between, mut at) = (Vec::new(), from);
    loop {
        if graph.output == Value::Node(at) {
            return Ok(None);
        }
        let readers: Vec<usize> = graph.readers(Value::Node(at)).collect();
        let &[next] = readers.as_slice() else {
            return Err(CompressError::FixedWidths("a layer's output is read more than once"));
        };
        match &graph.nodes[next].operation {
            Operation::Linear(..) => return Ok(Some((between, next))),
            Operation::Conv2d(layer, _) if layer.config().groups == 1 => return Ok(Some((between, next))),
            Operation::BatchNorm(_)
            | Operation::MaxPool2d(_)
            | Operation::AvgPool2d(_)
            | Operation::Activation(_) => between.push(next),
            _ => {
                return Err(CompressError::FixedWidths(
                    "a layer is read by what does not keep channels apart",
                ));
            }
        }
        at = next;
    }
}

/// The channels that stay, in their order; of equals the earlier.
fn largest(weight: &HostTensor, norm: Norm, share: f64) -> Vec<usize> {
    let channels = weight.shape[0];
    let size = |row: &[f32]| -> f64 {
        let values = row.iter().map(|value| f64::from(*value));
        match norm {
            Norm::L1 => values.map(f64::abs).sum(),
            Norm::L2 => values.map(|value| value * value).sum(),
        }
    };
    let sizes: Vec<f64> = weight.values.chunks(weight.values.len() / channels).map(size).collect();
    let count = ((channels as f64 * (1.0 - share)).round() as usize).max(1);
    let mut order: Vec<usize> = (0..channels).collect();
    order.sort_by(|a, b| sizes[*b].total_cmp(&sizes[*a]));
    order.truncate(count);
    order.sort_unstable();
    order
}

fn change(state: &mut State, name: &str, make: impl FnOnce(&HostTensor) -> HostTensor) {
    if let Some(tensor) = state.get_mut(name) {
        *tensor = make(tensor);
    }
}

/// The tensor with these parts of an axis, each of `span` neighbours.
fn select(tensor: &HostTensor, axis: usize, span: usize, kept: &[usize]) -> HostTensor {
    let inner = span * tensor.shape[axis + 1..].iter().product::<usize>();
    let rows = tensor.values.chunks(tensor.shape[axis] / span * inner);
    let values =
        rows.flat_map(|row| kept.iter().flat_map(move |part| &row[part * inner..(part + 1) * inner]));
    let values = values.copied().collect();
    let mut shape = tensor.shape.clone();
    shape[axis] = kept.len() * span;
    HostTensor { shape, values }
}

/// The architecture with these widths of layers.
fn narrowed(architecture: &Architecture, widths: &BTreeMap<String, usize>) -> Architecture {
    let width = |name: &str| widths.get(name).copied();
    let named = |kind: &'static str| (1..).map_while(move |layer| width(&format!("{kind}{layer}")));
    // The fixed layers of the others are those of a convnet, under the same names.
    let convnet = |conv: &[Convolution], activation, pooling| {
        let conv = conv.iter().zip(named("conv"));
        let conv = conv.map(|(conv, channels)| Convolution { channels, ..conv.clone() }).collect();
        Architecture::Convnet(ConvnetConfig { conv, hidden: named("fc").collect(), activation, pooling })
    };
    let convolution = |kernel, padding, pool| Convolution { channels: 0, kernel, stride: 1, padding, pool };
    match architecture {
        Architecture::Mlp(config) => {
            Architecture::Mlp(MlpConfig { hidden: named("fc").collect(), ..config.clone() })
        }
        Architecture::Convnet(config) => convnet(&config.conv, config.activation, config.pooling),
        Architecture::Cnn(_) => {
            let conv = [convolution(3, 0, 1), convolution(3, 0, 2)];
            convnet(&conv, Activation::Relu, Pooling::Max)
        }
        Architecture::Lenet5(config) => {
            convnet(&[convolution(5, 2, 2), convolution(5, 0, 2)], config.activation, Pooling::Mean)
        }
        other => other.clone(),
    }
}
