/// Why a graph cannot be written as ONNX.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// An operation that the crate does not know.
    #[error(
        "`{node}` does what the export has no ONNX for: {operation}; it needs a file in crates/onnx/src/operations"
    )]
    Unsupported {
        /// The node's name.
        node: String,
        /// What it does.
        operation: String,
    },
    /// A graph that no network has been traced to.
    #[error("`{node}` {fault}; a graph from `Graph::trace` is whole")]
    Malformed {
        /// The node's name, or "the output".
        node: String,
        /// What is wrong.
        fault: String,
    },
    /// Two different tensors of one name.
    #[error("two tensors would be called `{name}`; give the layers names that differ")]
    Clash {
        /// The name.
        name: String,
    },
    /// A parameter that does not hold `f32`.
    #[error("`{name}` does not hold f32 values; export the network before its parameters are converted")]
    NotFloat {
        /// The parameter's name.
        name: String,
    },
    /// A file beyond what protocol buffers can hold.
    #[error("the file would have {bytes} bytes; ONNX's format ends at {limit}: quantize the weights")]
    TooLarge {
        /// The file's size.
        bytes: usize,
        /// The largest allowed.
        limit: usize,
    },
    /// A quantization of a node that the graph lacks.
    #[error(
        "the quantization names node {index}, but the graph has {nodes} nodes; make it from the graph that is exported"
    )]
    NoNode {
        /// The node's index.
        index: usize,
        /// How many there are.
        nodes: usize,
    },
    /// A result before an activation where there is no activation.
    #[error("`{node}` has no activation that its result could be held before; put it among the `values`")]
    NoActivation {
        /// The node's name.
        node: String,
    },
    /// Quantized weights of a layer that the graph lacks.
    #[error("no layer has a weight `{name}`; those of the graph are {}", known.join(", "))]
    NoWeight {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A scale that is no step between two numbers.
    #[error("the scale {scale} of `{name}` must be a positive, finite number")]
    Scale {
        /// The value's or weight's name.
        name: String,
        /// Its scale.
        scale: f32,
    },
    /// More or fewer quantized weights or scales than the layer has.
    #[error("`{name}` has {given} {what}; its layer needs {needed}")]
    Count {
        /// The weight's name.
        name: String,
        /// "values" or "scales".
        what: &'static str,
        /// How many were given.
        given: usize,
        /// How many it must be.
        needed: usize,
    },
    /// Groups of no weights.
    #[error("the groups of `{name}` must hold at least one weight")]
    EmptyGroup {
        /// The weight's name.
        name: String,
    },
    /// A weight that four bits do not hold.
    #[error("`{name}` has a weight of {value}; four bits hold -8 to 7")]
    FourBits {
        /// The weight's name.
        name: String,
        /// The value.
        value: i8,
    },
}
