//! One node of a network's graph while its operation is written: what it reads, and by what names it is called.

use burn::tensor::Tensor;
use crucible_models::{Graph, Node, Value};

use crate::{
    ExportError, Quantization,
    builder::Builder,
    proto::{AttributeProto, TensorProto},
    tensor,
};

/// A value of the network as the ONNX graph has it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) name: String,
    /// Without the batch. Where the next node only wants the same values, this need not be the network's shape.
    pub(crate) shape: Vec<usize>,
}

pub(crate) struct Site<'a> {
    pub(crate) builder: &'a mut Builder,
    pub(crate) graph: &'a Graph,
    pub(crate) quantization: &'a Quantization,
    pub(crate) index: usize,
    /// What the graph's input and the nodes before this one are.
    pub(crate) input: &'a Held,
    pub(crate) held: &'a [Held],
}

impl<'a> Site<'a> {
    pub(crate) fn node(&self) -> &'a Node {
        &self.graph.nodes[self.index]
    }

    /// The node's input as it is held, in whatever shape.
    pub(crate) fn held(&self, input: usize) -> Held {
        match self.node().inputs[input].value {
            Value::Input => self.input.clone(),
            Value::Node(index) => self.held[index].clone(),
        }
    }

    /// The node's input in the shape that the node reads.
    pub(crate) fn read(&mut self, input: usize) -> Result<String, ExportError> {
        let held = self.held(input);
        let shape = &self.node().inputs[input].shape;
        if held.shape == *shape { Ok(held.name) } else { self.reshape(&held.name, shape) }
    }

    /// The operator that the node is known by: it has the layer's own name.
    pub(crate) fn main(&mut self, operator: &str, inputs: &[&str], settings: Vec<AttributeProto>) -> String {
        self.builder.node(&self.node().name, operator, inputs, settings)
    }

    /// Another operator that the node needs, called `fc1/Relu`.
    pub(crate) fn step(&mut self, operator: &str, inputs: &[&str], settings: Vec<AttributeProto>) -> String {
        let name = format!("{}/{operator}", self.node().name);
        self.builder.node(&name, operator, inputs, settings)
    }

    /// A value whose first axis is the batch as `[batch, shape…]`.
    pub(crate) fn reshape(&mut self, value: &str, shape: &[usize]) -> Result<String, ExportError> {
        // ONNX copies an axis where the shape says 0.
        let sides: Vec<i64> = std::iter::once(0).chain(shape.iter().map(|&side| side as i64)).collect();
        self.reshape_to(value, &sides)
    }

    /// A value in any shape, one side of which may be -1.
    pub(crate) fn reshape_to(&mut self, value: &str, sides: &[i64]) -> Result<String, ExportError> {
        let sides = self.constant("shape", tensor::int64(sides))?;
        Ok(self.step("Reshape", &[value, &sides], Vec::new()))
    }

    /// A constant that is no parameter, called `fc1/shape`.
    pub(crate) fn constant(&mut self, name: &str, tensor: TensorProto) -> Result<String, ExportError> {
        self.builder.auxiliary(&format!("{}/{name}", self.node().name), tensor)
    }

    /// A layer's parameter under its own name.
    pub(crate) fn parameter<const D: usize>(
        &mut self,
        part: &str,
        values: Tensor<D>,
    ) -> Result<String, ExportError> {
        let name = parameter(&self.node().name, part);
        let shape = values.dims();
        let values = host(&name, values)?;
        self.builder.constant(name, tensor::floats(&shape, &values))
    }
}

/// The name of a layer's parameter: `fc1.weight`, but `self_attn.in_proj_weight`, as PyTorch has it.
pub(crate) fn parameter(site: &str, part: &str) -> String {
    let separator = if site.ends_with(".in_proj") { '_' } else { '.' };
    format!("{site}{separator}{part}")
}

/// A parameter's values.
pub(crate) fn host<const D: usize>(name: &str, values: Tensor<D>) -> Result<Vec<f32>, ExportError> {
    values.into_data().try_to_vec::<f32>().map_err(|_| ExportError::NotFloat { name: name.to_owned() })
}
