//! The ONNX graph while it grows: unique names, and each constant once.

use std::collections::{BTreeMap, HashSet};

use crate::{
    ExportError,
    proto::{AttributeProto, NodeProto, TensorProto},
};

/// The names that callers know.
pub(crate) const INPUT: &str = "input";
pub(crate) const OUTPUT: &str = "output";

pub(crate) struct Builder {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// Where the initializer of a name stands.
    known: BTreeMap<String, usize>,
    /// Names of what nodes make.
    made: HashSet<String>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let made = [INPUT, OUTPUT].map(str::to_owned).into();
        Self { nodes: Vec::new(), initializers: Vec::new(), known: BTreeMap::new(), made }
    }

    /// Adds a node with one output. Node and output are called `name`, with a number behind it if that is taken.
    pub(crate) fn node(
        &mut self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let [output] = self.node_of(name, operator, inputs, attributes);
        output
    }

    /// Adds a node with as many outputs as the caller takes; the second is called `name/2`, and so on.
    pub(crate) fn node_of<const N: usize>(
        &mut self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> [String; N] {
        let name = self.free(name);
        let outputs = std::array::from_fn(|i| match i {
            0 => name.clone(),
            i => self.free(&format!("{name}/{}", i + 1)),
        });
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: outputs.to_vec(),
            name,
            op_type: operator.to_owned(),
            attribute: attributes,
        });
        outputs
    }

    fn free(&mut self, name: &str) -> String {
        let taken = |name: &str| self.made.contains(name) || self.known.contains_key(name);
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let name = std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name));
        let name = name.unwrap_or_default();
        self.made.insert(name.clone());
        name
    }

    /// Adds a constant of exactly this name. A layer that is met twice has its parameters once.
    pub(crate) fn constant(&mut self, name: String, tensor: TensorProto) -> Result<String, ExportError> {
        let tensor = TensorProto { name: name.clone(), ..tensor };
        match self.known.get(&name) {
            Some(&index) if self.initializers[index] == tensor => return Ok(name),
            None if !self.made.contains(&name) => {}
            _ => return Err(ExportError::Clash { name }),
        }
        self.known.insert(name.clone(), self.initializers.len());
        self.initializers.push(tensor);
        Ok(name)
    }

    /// Adds a constant that no caller knows by name, with a number behind `name` if that is another's.
    pub(crate) fn auxiliary(&mut self, name: &str, tensor: TensorProto) -> Result<String, ExportError> {
        let mut given = self.constant(name.to_owned(), tensor.clone());
        for number in 2.. {
            if !matches!(given, Err(ExportError::Clash { .. })) {
                break;
            }
            given = self.constant(format!("{name}_{number}"), tensor.clone());
        }
        given
    }

    /// Gives a value of the graph another name.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let names = self.nodes.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        names.filter(|name| *name == from).for_each(|name| to.clone_into(name));
    }

    /// The nodes and the initializers.
    pub(crate) fn finish(self) -> (Vec<NodeProto>, Vec<TensorProto>) {
        (self.nodes, self.initializers)
    }
}
