//! Batch norm folded into the layer before it.

use burn::tensor::Device;
use crucible_models::{Graph, Network, Operation, Value, layers::BatchNorm, weights::State};

use crate::CompressError;
use crate::parameters::{parameter, rows};

/// Multiplies every batch norm that alone reads a layer without an activation into that layer's weight and bias, and
/// leaves one that changes nothing.
pub(crate) fn fold(graph: &Graph, state: &mut State) {
    for (index, node) in graph.nodes.iter().enumerate() {
        let (Operation::BatchNorm(norm), Value::Node(before)) = (&node.operation, node.inputs[0].value)
        else {
            continue;
        };
        let layer = &graph.nodes[before];
        let is_layer = matches!(layer.operation, Operation::Linear(..) | Operation::Conv2d(..));
        if !is_layer || graph.readers(Value::Node(before)).ne([index]) || graph.output == Value::Node(before)
        {
            continue;
        }
        let [scale, offset] = norm
            .affine()
            .map(|values| values.into_data().try_to_vec::<f32>().expect("networks here hold f32"));
        let weight = state.get_mut(&parameter(layer, "weight")).expect("the graph's own network");
        for (row, scale) in rows(weight).zip(&scale) {
            row.iter_mut().for_each(|weight| *weight *= scale);
        }
        let bias = state.get_mut(&parameter(layer, "bias")).expect("the graph's own network");
        for ((bias, scale), offset) in bias.values.iter_mut().zip(&scale).zip(&offset) {
            *bias = *bias * scale + offset;
        }
        let identity = [
            ("weight", (1.0 + BatchNorm::EPSILON as f32).sqrt()),
            ("bias", 0.0),
            ("running_mean", 0.0),
            ("running_var", 1.0),
        ];
        for (name, value) in identity {
            state.get_mut(&parameter(node, name)).expect("the graph's own network").values.fill(value);
        }
    }
}

/// The graph that a compressed network computes by: activations are nodes of their own, and batch norms that were folded
/// are gone.
///
/// # Errors
///
/// Where the forward pass is no graph.
pub fn integer_graph(network: &Network, features: usize, device: &Device) -> Result<Graph, CompressError> {
    Ok(without_identities(&Graph::trace(network, features, device)?.split_activations()))
}

/// The graph without batch norms that change nothing.
pub(crate) fn without_identities(graph: &Graph) -> Graph {
    graph.without(|node| matches!(&node.operation, Operation::BatchNorm(norm) if is_identity(norm)))
}

fn is_identity(norm: &BatchNorm) -> bool {
    let [scale, offset] =
        norm.affine().map(|values| values.into_data().try_to_vec::<f32>().expect("networks here hold f32"));
    scale.iter().all(|scale| (scale - 1.0).abs() < 1e-6) && offset.iter().all(|offset| *offset == 0.0)
}
