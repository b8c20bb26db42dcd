//! A layer's parameters by name.

use crucible_models::{Node, Operation, weights::HostTensor};

/// The name of a layer's parameter in a network's weights: `fc1.weight`, and PyTorch's `in_proj_weight`.
pub(crate) fn parameter(node: &Node, name: &str) -> String {
    let separator = if node.name.ends_with(".in_proj") { "_" } else { "." };
    format!("{}{separator}{name}", node.name)
}

/// The weights of each output channel.
pub(crate) fn rows(weight: &mut HostTensor) -> std::slice::ChunksExactMut<'_, f32> {
    let inputs = weight.shape[1..].iter().product::<usize>().max(1);
    weight.values.chunks_exact_mut(inputs)
}

/// Whether a node is a layer with weights that can be compressed.
pub(crate) fn is_weighted(node: &Node) -> bool {
    matches!(node.operation, Operation::Linear(..) | Operation::Conv2d(..))
}
