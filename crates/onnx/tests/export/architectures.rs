use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use crucible_models::{
    Activation, Graph, NoTap, Operation, Tap, Tapped,
    layers::{Conv2d, Conv2dConfig, Linear, SelfAttention},
    weights::{self, HostTensor},
};
use crucible_onnx::proto::{DataType, GraphProto};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{
    interpreter::{self, Array},
    support::{ACTIVATIONS, architectures, host, mlp, network, operators, random, trace, written},
};

/// Whether the exported graph gives what the network gives, for several batches.
fn same_function(name: &str, onnx: &GraphProto, network: &impl Tapped, features: usize) {
    for examples in [1, 3] {
        let input = random(examples, features);
        let ours = network.forward(input.clone(), &mut NoTap);
        let shape = ours.dims().to_vec();
        let values = host(input).into_iter().map(f64::from).collect();
        let theirs = interpreter::run(onnx, Array { shape: vec![examples, features], values });
        assert_eq!(theirs.shape, shape, "{name}");
        for (ours, theirs) in host(ours).into_iter().zip(theirs.values) {
            assert!(
                (f64::from(ours) - theirs).abs() < 1e-4 * theirs.abs().max(1.0),
                "{name}: {ours}, {theirs}"
            );
        }
    }
}

/// The constants that hold the network's parameters, by their names.
fn parameters(onnx: &GraphProto) -> BTreeMap<String, HostTensor> {
    let ours = onnx.initializer.iter().filter(|tensor| !tensor.name.contains('/'));
    let host = |tensor| {
        let Array { shape, values } = interpreter::constant(tensor);
        HostTensor { shape, values: values.into_iter().map(|value| value as f32).collect() }
    };
    ours.inspect(|tensor| assert_eq!(tensor.data_type(), DataType::Float))
        .map(|tensor| (tensor.name.clone(), host(tensor)))
        .collect()
}

#[test]
fn every_architecture_with_every_activation_keeps_its_function_and_its_parameters() {
    for activation in ACTIVATIONS {
        for (architecture, input) in architectures(activation) {
            let network = network(&architecture, input);
            let graph = trace(&network, input);
            let onnx = written(&graph, None);
            let name = format!("{architecture:?}");
            assert_eq!(parameters(&onnx), weights::collect(&network), "{name}");
            let names: Vec<&str> = onnx.node.iter().map(|node| node.name.as_str()).collect();
            for node in &graph.nodes {
                assert!(names.contains(&node.name.as_str()), "{name} has no node `{}`: {names:?}", node.name);
            }
            same_function(&name, &onnx, &network, input.features());
        }
    }
}

#[test]
fn a_fully_connected_layer_is_one_operator_and_its_activation() {
    let (_, graph) = mlp(Activation::Silu);
    let onnx = written(&graph, None);
    assert_eq!(operators(&onnx), ["Gemm", "Sigmoid", "Mul", "Gemm", "Sigmoid", "Mul", "Gemm"]);
    assert_eq!(onnx.node[0].input, ["input", "fc1.weight", "fc1.bias"]);
    assert_eq!(onnx.node[2].name, "fc1/Mul");
    assert_eq!(onnx.node[6].output, ["output"]);
}

/// Causal attention, and a strided, dilated convolution in groups: what no architecture has.
struct Rare {
    conv: Conv2d,
    attention: SelfAttention,
}

impl Rare {
    fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let device = Device::flex();
        let config = Conv2dConfig {
            stride: [2, 1],
            padding: [1, 2],
            dilation: [1, 2],
            groups: 2,
            ..Conv2dConfig::square(4, 6, 3)
        };
        let conv = Conv2d::new("conv", config, &mut rng, &device);
        Self { conv, attention: SelfAttention::new("attention", 6, 3, true, &mut rng, &device) }
    }
}

impl Tapped for Rare {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let batch = input.dims()[0];
        let picture = tap.conv2d(&self.conv, input.reshape([batch, 4, 5, 4]), Activation::Identity);
        let tokens = tap.tokens(picture);
        self.attention.forward(tokens, None, tap).flatten(1, 2)
    }
}

#[test]
fn causal_attention_and_convolutions_of_every_layout_keep_their_function() {
    let network = Rare::new();
    let graph = Graph::trace(&network, 80, &Device::flex()).unwrap();
    same_function("rare", &written(&graph, None), &network, 80);
}

/// One layer, applied twice.
struct Twice(Linear);

impl Tapped for Twice {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let x = tap.linear(&self.0, input, Activation::Relu);
        tap.linear(&self.0, x, Activation::Relu)
    }
}

#[test]
fn a_layer_that_is_used_twice_has_its_parameters_once() {
    let network = Twice(Linear::new("output", 4, 4, &mut ChaCha8Rng::seed_from_u64(1), &Device::flex()));
    let graph = Graph::trace(&network, 4, &Device::flex()).unwrap();
    let onnx = written(&graph, None);
    assert_eq!(onnx.initializer.len(), 2);
    same_function("twice", &onnx, &network, 4);
}

#[test]
fn a_network_that_only_reads_gives_its_input() {
    let (_, mut graph) = mlp(Activation::Relu);
    graph.nodes.clear();
    graph.output = crucible_models::Value::Input;
    assert_eq!(operators(&written(&graph, None)), ["Identity"]);
}

#[test]
fn a_picture_stays_one_through_batch_normalization() {
    struct Normal(Conv2d, crucible_models::layers::BatchNorm);
    impl Tapped for Normal {
        fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
            let batch = input.dims()[0];
            let x = tap.conv2d(&self.0, input.reshape([batch, 1, 4, 4]), Activation::Identity);
            let x = tap.batch_norm(&self.1, x.flatten(2, 3)).flatten(1, 2);
            let x = tap.activation("act", Activation::Relu, x).reshape([batch, 2, 2, 2]);
            tap.max_pool2d(&crucible_models::layers::MaxPool2d::new("pool", 2), x).flatten(1, 3)
        }
    }
    let (mut rng, device) = (ChaCha8Rng::seed_from_u64(1), Device::flex());
    let conv = Conv2d::new("conv", Conv2dConfig::square(1, 2, 3), &mut rng, &device);
    let network = Normal(conv, crucible_models::layers::BatchNorm::new("bn", 2, &device));
    let graph = Graph::trace(&network, 16, &device).unwrap();
    assert!(matches!(graph.nodes[1].operation, Operation::BatchNorm(_)));
    let onnx = written(&graph, None);
    let expected = ["Reshape", "Conv", "BatchNormalization", "Relu", "MaxPool", "Reshape"];
    assert_eq!(operators(&onnx), expected);
    same_function("normal", &onnx, &network, 16);
}
