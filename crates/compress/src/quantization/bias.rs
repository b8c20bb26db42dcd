//! What rounding weights does to the mean of a layer's outputs, taken from its bias.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{Graph, Node, Operation, Value};

use super::Affine;
use crate::parameters::is_weighted;

/// By how much the outputs of each layer are too large in the mean, channel by channel, where weights are rounded and
/// activations held in `values`; every layer sees those before it corrected.
///
/// M. Nagel et al. 2019, section 4.2, with the means of examples.
pub(super) fn mean_errors(
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
fn held(tensor: Tensor<2>, affine: Affine) -> Tensor<2> {
    let zero = f32::from(affine.zero);
    let integers = (tensor / affine.scale).round() + zero;
    (integers.clamp(0.0, 255.0) - zero) * affine.scale
}
