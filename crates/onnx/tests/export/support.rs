//! Networks to export, and what an ONNX graph must be.

use std::collections::{BTreeSet, HashSet};

use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    Activation, Architecture, Graph, InputShape, Network,
    architectures::{CnnConfig, ConvnetConfig, Convolution, Lenet5Config, MlpConfig, TransformerConfig},
    weights,
};
use crucible_onnx::{
    Quantization, export,
    proto::{GraphProto, ModelProto, Size, ValueInfoProto},
};
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) const OUTPUTS: usize = 3;

pub(crate) const ACTIVATIONS: [Activation; 7] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Gelu,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Tanh,
];

const PICTURE: InputShape = InputShape::Image { channels: 2, height: 13, width: 12 };

/// Every architecture with an activation, small.
pub(crate) fn architectures(activation: Activation) -> Vec<(Architecture, InputShape)> {
    let row = InputShape::Features { count: 5 };
    let sequence = InputShape::Sequence { length: 3, width: 8 };
    let mlp = |batch_norm| {
        Architecture::Mlp(MlpConfig { hidden: vec![6, 4], activation, batch_norm, ..MlpConfig::default() })
    };
    let conv = |stride, padding, pool| Convolution { channels: 3, kernel: 3, stride, padding, pool };
    let conv = vec![conv(1, 1, 2), conv(2, 0, 1)];
    let convnet = ConvnetConfig { conv, hidden: vec![4], activation, ..ConvnetConfig::default() };
    let transformer = |norm_first| {
        Architecture::Transformer(TransformerConfig {
            width: 8,
            heads: 2,
            layers: 1,
            feedforward: 6,
            activation,
            norm_first,
            ..TransformerConfig::default()
        })
    };
    vec![
        (mlp(false), row),
        (mlp(true), row),
        (Architecture::Lenet5(Lenet5Config { activation }), PICTURE),
        (Architecture::Cnn(CnnConfig::default()), PICTURE),
        (Architecture::Convnet(convnet), PICTURE),
        (transformer(true), PICTURE),
        (transformer(false), sequence),
    ]
}

/// The network with every parameter away from where it starts.
pub(crate) fn network(architecture: &Architecture, input: InputShape) -> Network {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let network = architecture.init(input, OUTPUTS, &mut rng, &Device::flex()).unwrap();
    let mut state = weights::collect(&network);
    for value in state.values_mut().flat_map(|tensor| &mut tensor.values) {
        *value += 0.2 * rng.random::<f32>();
    }
    weights::assign(network, &state).unwrap()
}

pub(crate) fn trace(network: &Network, input: InputShape) -> Graph {
    Graph::trace(network, input.features(), &Device::flex()).unwrap()
}

/// The small fully connected network 5-6-4-3 as a graph.
pub(crate) fn mlp(activation: Activation) -> (Network, Graph) {
    let (architecture, input) = architectures(activation).swap_remove(0);
    let network = network(&architecture, input);
    let graph = trace(&network, input);
    (network, graph)
}

pub(crate) fn random(examples: usize, features: usize) -> Tensor<2> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let values: Vec<f32> = (0..examples * features).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect();
    Tensor::from_data(TensorData::new(values, [examples, features]), &Device::flex())
}

pub(crate) fn host(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Exports, and checks what holds for every file.
pub(crate) fn written(graph: &Graph, quantization: Option<&Quantization>) -> GraphProto {
    let bytes = export(graph, quantization).unwrap();
    assert_eq!(bytes, export(graph, quantization).unwrap(), "the same graph, other bytes");
    let model = ModelProto::decode(bytes.as_slice()).unwrap();
    assert_eq!((model.ir_version, model.opset_import[0].version), (10, 21));
    assert_eq!((model.producer_name.as_str(), model.producer_version.as_str()), ("crucible", "0.1.0"));
    let onnx = model.graph.unwrap();
    let outputs = graph.shape(graph.output).iter().product();
    assert_eq!(described(&onnx.input), ("input".to_owned(), "batch".to_owned(), graph.features));
    assert_eq!(described(&onnx.output), ("output".to_owned(), "batch".to_owned(), outputs));
    in_order(&onnx);
    onnx
}

fn described(values: &[ValueInfoProto]) -> (String, String, usize) {
    let [value] = values else { panic!("{} values", values.len()) };
    let tensor = value.r#type.as_ref().unwrap().tensor_type.as_ref().unwrap();
    let sizes: Vec<&Size> =
        tensor.shape.as_ref().unwrap().dim.iter().map(|dim| dim.value.as_ref().unwrap()).collect();
    let [Size::DimParam(batch), Size::DimValue(features)] = sizes[..] else { panic!("{sizes:?}") };
    (value.name.clone(), batch.clone(), usize::try_from(*features).unwrap())
}

/// Every value has one name, is made before it is read, and is read; so is every constant.
fn in_order(onnx: &GraphProto) {
    let mut made: HashSet<&str> = onnx.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(made.len(), onnx.initializer.len(), "two constants of one name");
    assert!(made.insert("input"));
    for node in &onnx.node {
        for input in &node.input {
            assert!(made.contains(input.as_str()), "`{}` reads `{input}` before it is made", node.name);
        }
        for output in &node.output {
            assert!(made.insert(output), "`{output}` is made twice");
        }
    }
    let mut read: HashSet<&str> = onnx.node.iter().flat_map(|node| &node.input).map(String::as_str).collect();
    assert!(read.insert("output"), "the output is read");
    let unread: Vec<&&str> = made.difference(&read).collect();
    assert!(unread.is_empty(), "nothing reads {unread:?}");
    let names: BTreeSet<&str> = onnx.node.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names.len(), onnx.node.len(), "two nodes of one name");
}

pub(crate) fn operators(onnx: &GraphProto) -> Vec<&str> {
    onnx.node.iter().map(|node| node.op_type.as_str()).collect()
}
