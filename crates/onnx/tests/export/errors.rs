use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use crucible_models::{Activation, Graph, Read, Tap, Tapped, Value, layers::Linear};
use crucible_onnx::{Affine, Quantization, Weights, export};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::support::mlp;

/// What makes a graph wrong.
type Change<'a> = &'a dyn Fn(&mut Graph);

fn message(graph: &Graph, quantization: &Quantization) -> String {
    export(graph, Some(quantization)).unwrap_err().to_string()
}

fn weights(name: &str, weights: Weights) -> Quantization {
    Quantization { weights: BTreeMap::from([(name.to_owned(), weights)]), ..Quantization::default() }
}

#[test]
fn a_quantization_of_another_graph_is_refused() {
    let (_, graph) = mlp(Activation::Gelu);
    let affine = Affine { scale: 1.0, zero: 0 };
    let none = Quantization::default;
    let int8 = |values, scales| Weights::Int8 { values: vec![1; values], scales };
    let int4 = |value, scales, group| Weights::Int4 { values: vec![value; 12], scales, group };
    let cases = [
        (
            Quantization { values: [(Value::Node(9), affine)].into(), ..none() },
            "the quantization names node 9, but the graph has 3 nodes; make it from the graph that is exported",
        ),
        (
            Quantization { before: [(3, affine)].into(), ..none() },
            "the quantization names node 3, but the graph has 3 nodes; make it from the graph that is exported",
        ),
        (
            Quantization { before: [(2, affine)].into(), ..none() },
            "`fc3` has no activation that its result could be held before; put it among the `values`",
        ),
        (
            Quantization { values: [(Value::Input, Affine { scale: 0.0, zero: 0 })].into(), ..none() },
            "the scale 0 of `input` must be a positive, finite number",
        ),
        (
            weights("fc4.weight", int8(1, vec![1.0])),
            "no layer has a weight `fc4.weight`; those of the graph are fc1.weight, fc2.weight, fc3.weight",
        ),
        (weights("fc3.weight", int8(11, vec![1.0; 3])), "`fc3.weight` has 11 values; its layer needs 12"),
        (weights("fc3.weight", int8(12, vec![1.0])), "`fc3.weight` has 1 scales; its layer needs 3"),
        (
            weights("fc3.weight", int8(12, vec![f32::NAN; 3])),
            "the scale NaN of `fc3.weight` must be a positive, finite number",
        ),
        (weights("fc3.weight", int4(1, vec![1.0; 3], 2)), "`fc3.weight` has 3 scales; its layer needs 6"),
        (
            weights("fc3.weight", int4(1, vec![], 0)),
            "the groups of `fc3.weight` must hold at least one weight",
        ),
        (
            weights("fc3.weight", int4(8, vec![1.0; 3], 4)),
            "`fc3.weight` has a weight of 8; four bits hold -8 to 7",
        ),
    ];
    for (quantization, expected) in cases {
        assert_eq!(message(&graph, &quantization), expected);
    }
}

#[test]
fn a_graph_that_was_never_traced_is_refused() {
    let (_, whole) = mlp(Activation::Relu);
    let with = |change: Change<'_>| {
        let mut graph = whole.clone();
        change(&mut graph);
        message(&graph, &Quantization::default())
    };
    let cases: [(Change<'_>, &str); 7] = [
        (&|graph| graph.nodes[0].inputs.clear(), "`fc1` reads 0 values instead of 1"),
        (
            &|graph| graph.nodes[1].inputs[0].value = Value::Node(1),
            "`fc2` reads Node(1), which does not stand before it",
        ),
        (&|graph| graph.nodes[1].inputs[0].shape = vec![7], "`fc2` reads the shape [6] as [7]"),
        (
            &|graph| graph.nodes[0].inputs = vec![Read { value: Value::Input, shape: vec![1, 1, 5] }],
            "`fc1` cannot read the shape [1, 1, 5]",
        ),
        (&|graph| graph.nodes[2].shape = vec![0], "`fc3` gives nothing: its shape is [0]"),
        (&|graph| graph.output = Value::Node(3), "`the output` is node 3 of 3"),
        (
            &|graph| {
                graph.nodes.clear();
                graph.features = 0;
                graph.output = Value::Input;
            },
            "`the input` has no values",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(with(change), format!("{expected}; a graph from `Graph::trace` is whole"));
    }
}

#[test]
fn two_layers_of_one_name_are_refused() {
    struct Pair([Linear; 2]);
    impl Tapped for Pair {
        fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
            let x = tap.linear(&self.0[0], input, Activation::Relu);
            tap.linear(&self.0[1], x, Activation::Relu)
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let network = Pair([0, 1].map(|_| Linear::new("fc", 4, 4, &mut rng, &Device::flex())));
    let graph = Graph::trace(&network, 4, &Device::flex()).unwrap();
    assert_eq!(
        message(&graph, &Quantization::default()),
        "two tensors would be called `fc.weight`; give the layers names that differ"
    );
}
