//! What a caller can get wrong, found before anything is written.

use std::collections::BTreeMap;

use crucible_models::{Activation, Graph, Node, Operation, Value};

use crate::{Affine, ExportError, Quantization, Weights, quantize::Rows, site::parameter};

/// Whether each node reads what stands before it, in shapes that its operation has.
pub(crate) fn graph(graph: &Graph) -> Result<(), ExportError> {
    let fault = |node: &str, fault: String| Err(ExportError::Malformed { node: node.to_owned(), fault });
    for (index, node) in graph.nodes.iter().enumerate() {
        let wanted = if matches!(node.operation, Operation::Add) { 2 } else { 1 };
        if node.inputs.len() != wanted {
            return fault(&node.name, format!("reads {} values instead of {wanted}", node.inputs.len()));
        }
        for read in &node.inputs {
            if matches!(read.value, Value::Node(before) if before >= index) {
                return fault(&node.name, format!("reads {:?}, which does not stand before it", read.value));
            }
            let held = graph.shape(read.value);
            let size = |shape: &[usize]| shape.iter().copied().fold(1, usize::saturating_mul);
            if size(&held) != size(&read.shape) {
                return fault(&node.name, format!("reads the shape {held:?} as {:?}", read.shape));
            }
            if !ranks(&node.operation).contains(&read.shape.len()) {
                return fault(&node.name, format!("cannot read the shape {:?}", read.shape));
            }
        }
        if node.shape.contains(&0) {
            return fault(&node.name, format!("gives nothing: its shape is {:?}", node.shape));
        }
    }
    match graph.output {
        Value::Node(index) if index >= graph.nodes.len() => {
            fault("the output", format!("is node {index} of {}", graph.nodes.len()))
        }
        _ if graph.features == 0 => fault("the input", "has no values".to_owned()),
        _ => Ok(()),
    }
}

/// The numbers of axes, without the batch, that an operation reads.
fn ranks(operation: &Operation) -> std::ops::RangeInclusive<usize> {
    match operation {
        Operation::Linear(..) => 1..=2,
        Operation::Conv2d(..) | Operation::MaxPool2d(_) | Operation::AvgPool2d(_) | Operation::Tokens => {
            3..=3
        }
        Operation::BatchNorm(_)
        | Operation::LayerNorm(_)
        | Operation::SelfAttention(_)
        | Operation::Positions(_)
        | Operation::MeanTokens => 2..=2,
        _ => 0..=usize::MAX,
    }
}

/// Whether a quantization is one of this graph.
pub(crate) fn quantization(graph: &Graph, quantization: &Quantization) -> Result<(), ExportError> {
    for (value, affine) in &quantization.values {
        let name = match value {
            Value::Input => "input",
            Value::Node(index) => &node(graph, *index)?.name,
        };
        scale(name, affine)?;
    }
    for (index, affine) in &quantization.before {
        let node = node(graph, *index)?;
        scale(&node.name, affine)?;
        let activation = match &node.operation {
            Operation::Linear(_, activation) | Operation::Conv2d(_, activation) => *activation,
            _ => Activation::Identity,
        };
        if activation == Activation::Identity {
            return Err(ExportError::NoActivation { node: node.name.clone() });
        }
    }
    let known: BTreeMap<String, [usize; 2]> = graph.nodes.iter().filter_map(matrix).collect();
    for (name, given) in &quantization.weights {
        match known.get(name) {
            Some(sides) => weights(name, *sides, given)?,
            None => {
                let known = known.into_keys().collect();
                return Err(ExportError::NoWeight { name: name.clone(), known });
            }
        }
    }
    Ok(())
}

fn node(graph: &Graph, index: usize) -> Result<&Node, ExportError> {
    graph.nodes.get(index).ok_or(ExportError::NoNode { index, nodes: graph.nodes.len() })
}

/// The name of a layer's weight, its outputs, and the weights of each.
fn matrix(node: &Node) -> Option<(String, [usize; 2])> {
    let sides = match &node.operation {
        Operation::Linear(layer, _) => layer.weight.val().dims(),
        Operation::Conv2d(layer, _) => {
            let [outputs, inputs, height, width] = layer.weight.val().dims();
            [outputs, inputs * height * width]
        }
        _ => return None,
    };
    Some((parameter(&node.name, "weight"), sides))
}

fn scale(name: &str, affine: &Affine) -> Result<(), ExportError> {
    if affine.scale.is_finite() && affine.scale > 0.0 {
        return Ok(());
    }
    Err(ExportError::Scale { name: name.to_owned(), scale: affine.scale })
}

fn weights(name: &str, [outputs, inputs]: [usize; 2], given: &Weights) -> Result<(), ExportError> {
    let scales = match given {
        Weights::Int8 { .. } => outputs,
        Weights::Int4 { group: 0, .. } => return Err(ExportError::EmptyGroup { name: name.to_owned() }),
        Weights::Int4 { group, .. } => outputs * Rows { outputs, inputs, group: *group }.groups(),
    };
    let values = ("values", given.values().len(), outputs * inputs);
    for (what, given, needed) in [values, ("scales", given.scales().len(), scales)] {
        if given != needed {
            return Err(ExportError::Count { name: name.to_owned(), what, given, needed });
        }
    }
    given.scales().iter().try_for_each(|&step| scale(name, &Affine { scale: step, zero: 0 }))?;
    let wide = given.values().iter().find(|value| !(-8..=7).contains(*value));
    match (given, wide) {
        (Weights::Int4 { .. }, Some(&value)) => Err(ExportError::FourBits { name: name.to_owned(), value }),
        _ => Ok(()),
    }
}
