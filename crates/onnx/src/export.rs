use crucible_models::{Graph, Value};
use prost::Message;

use crate::{
    ExportError, Quantization,
    builder::{Builder, INPUT, OUTPUT},
    check, operations,
    proto::{
        DataType, Dimension, GraphProto, ModelProto, OperatorSetIdProto, Size, TensorShapeProto, TensorType,
        TypeProto, ValueInfoProto,
    },
    quantize::quantize,
    site::{Held, Site},
    tensor,
};

/// The operators' edition: the first whose `DequantizeLinear` knows four bits and groups.
const OPSET: i64 = 21;
/// The messages' version that came with it.
const IR_VERSION: i64 = 10;
/// Where protocol buffers end.
const LIMIT: usize = i32::MAX as usize;

/// The bytes of an ONNX file that computes `graph`: `input` `[batch, features]` to `output` `[batch, outputs]`, for any
/// batch. Without a quantization everything is `f32`.
///
/// A value that is quantized is followed by `QuantizeLinear` and `DequantizeLinear`, a weight by the latter, which is
/// what ONNX Runtime computes in integers. Weights of four bits are stored `[in, out]` in a fully connected layer and
/// `[out, in · height · width]` in a convolution; all others have their parameter's shape. ONNX Runtime also rounds the
/// inputs of a fully connected layer of four bits to eight, unless `session.qdq_matmulnbits_accuracy_level` is 1.
///
/// # Errors
///
/// Where the graph has an operation that the crate has no ONNX for, the quantization is not one of this graph, or the
/// file would have more than 2 GiB.
pub fn export(graph: &Graph, quantization: Option<&Quantization>) -> Result<Vec<u8>, ExportError> {
    let none = Quantization::default();
    let quantization = quantization.unwrap_or(&none);
    check::graph(graph)?;
    check::quantization(graph, quantization)?;

    let mut builder = Builder::new();
    let input = Held { name: INPUT.to_owned(), shape: vec![graph.features] };
    let input = hold(&mut builder, quantization, Value::Input, INPUT, input)?;
    let mut held = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let builder = &mut builder;
        let mut site = Site { builder, graph, quantization, index, input: &input, held: &held };
        let output = operations::write(&mut site)?;
        held.push(hold(builder, quantization, Value::Node(index), &node.name, output)?);
    }
    let output = match graph.output {
        Value::Input => input,
        Value::Node(index) => held.swap_remove(index),
    };
    let outputs = finish(&mut builder, output)?;
    encode(builder, graph.features, outputs)
}

/// What a node gave, rounded to integers if it is held in them.
fn hold(
    builder: &mut Builder,
    quantization: &Quantization,
    value: Value,
    name: &str,
    held: Held,
) -> Result<Held, ExportError> {
    Ok(match quantization.values.get(&value) {
        Some(affine) => Held { name: quantize(builder, name, &held.name, *affine)?, ..held },
        None => held,
    })
}

/// Makes the value flat and calls it the output; returns how many numbers it has.
fn finish(builder: &mut Builder, held: Held) -> Result<usize, ExportError> {
    let outputs = held.shape.iter().product();
    let mut name = held.name;
    if held.shape.len() != 1 {
        let sides = builder.auxiliary(&format!("{OUTPUT}/shape"), tensor::int64(&[0, outputs as i64]))?;
        name = builder.node(&format!("{OUTPUT}/Reshape"), "Reshape", &[&name, &sides], Vec::new());
    }
    if name == INPUT {
        name = builder.node(&format!("{OUTPUT}/Identity"), "Identity", &[&name], Vec::new());
    }
    builder.rename(&name, OUTPUT);
    Ok(outputs)
}

fn encode(builder: Builder, inputs: usize, outputs: usize) -> Result<Vec<u8>, ExportError> {
    let (node, initializer) = builder.finish();
    let graph = GraphProto {
        node,
        name: "network".to_owned(),
        initializer,
        input: vec![information(INPUT, inputs)],
        output: vec![information(OUTPUT, outputs)],
    };
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "crucible".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
    };
    match model.encoded_len() {
        bytes if bytes > LIMIT => Err(ExportError::TooLarge { bytes, limit: LIMIT }),
        _ => Ok(model.encode_to_vec()),
    }
}

/// A value of `f32`, `["batch", features]`.
fn information(name: &str, features: usize) -> ValueInfoProto {
    let dim = [Size::DimParam("batch".to_owned()), Size::DimValue(features as i64)]
        .map(|size| Dimension { value: Some(size) });
    let shape = TensorShapeProto { dim: dim.into() };
    let tensor = TensorType { elem_type: DataType::Float.into(), shape: Some(shape) };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}
