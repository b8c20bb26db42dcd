use burn::tensor::Tensor;
use crucible_models::{Activation, Graph, Operation, Value};
use crucible_onnx::{
    Affine, Quantization, Weights,
    proto::{DataType, GraphProto, TensorProto},
};

use crate::{
    interpreter::{self, Array},
    support::{architectures, host, mlp, network, operators, random, trace, written},
};

fn constant<'a>(onnx: &'a GraphProto, name: &str) -> &'a TensorProto {
    onnx.initializer.iter().find(|tensor| tensor.name == name).unwrap_or_else(|| panic!("no `{name}`"))
}

fn values(onnx: &GraphProto, name: &str) -> Array {
    interpreter::constant(constant(onnx, name))
}

/// The rows of a weight rounded to `bits` by groups of `group` weights, and what they then are.
fn rounded(weight: &[f32], rows: usize, group: usize, largest: f32) -> (Vec<i8>, Vec<f32>, Vec<f32>) {
    let groups = weight.chunks(weight.len() / rows).flat_map(|row| row.chunks(group));
    let (mut integers, mut scales, mut reals) = (Vec::new(), Vec::new(), Vec::new());
    for group in groups {
        let scale = group.iter().fold(0f32, |most, weight| most.max(weight.abs())) / largest;
        scales.push(scale);
        for weight in group {
            let integer = (weight / scale).round_ties_even();
            integers.push(integer as i8);
            reals.push(integer * scale);
        }
    }
    (integers, scales, reals)
}

/// Rounds every weight, and returns the quantization and the graph with what the weights then are.
fn weights(graph: &Graph, make: impl Fn(&[f32], usize) -> (Weights, Vec<f32>)) -> (Quantization, Graph) {
    let (mut quantization, mut graph) = (Quantization::default(), graph.clone());
    for node in &mut graph.nodes {
        let name = if node.name.ends_with(".in_proj") {
            format!("{}_weight", node.name)
        } else {
            format!("{}.weight", node.name)
        };
        let mut round = |weight: Vec<f32>, rows: usize| {
            let (weights, reals) = make(&weight, rows);
            quantization.weights.insert(name.clone(), weights);
            reals
        };
        match &mut node.operation {
            Operation::Linear(layer, _) => {
                let weight = layer.weight.val();
                let reals = round(host(weight.clone()), weight.dims()[0]);
                layer.weight = burn::module::Param::from_tensor(like(reals, weight));
            }
            Operation::Conv2d(layer, _) => {
                let weight = layer.weight.val();
                let rows = weight.dims()[0];
                let reals = round(host(weight.clone().flatten(1, 3)), rows);
                layer.weight = burn::module::Param::from_tensor(like(reals, weight));
            }
            _ => {}
        }
    }
    (quantization, graph)
}

fn like<const D: usize>(values: Vec<f32>, tensor: Tensor<D>) -> Tensor<D> {
    Tensor::from_data(burn::tensor::TensorData::new(values, tensor.dims()), &tensor.device())
}

fn int8(weight: &[f32], rows: usize) -> (Weights, Vec<f32>) {
    let (values, scales, reals) = rounded(weight, rows, usize::MAX, 127.0);
    (Weights::Int8 { values, scales }, reals)
}

fn int4(group: usize) -> impl Fn(&[f32], usize) -> (Weights, Vec<f32>) {
    move |weight, rows| {
        let (values, scales, reals) = rounded(weight, rows, group, 7.0);
        (Weights::Int4 { values, scales, group }, reals)
    }
}

fn interpreted(onnx: &GraphProto, input: &Tensor<2>) -> Vec<f64> {
    let values = host(input.clone()).into_iter().map(f64::from).collect();
    interpreter::run(onnx, Array { shape: input.dims().to_vec(), values }).values
}

fn largest_difference(ours: Tensor<2>, theirs: &[f64]) -> f64 {
    let ours = host(ours).into_iter().map(f64::from);
    ours.zip(theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f64::max)
}

#[test]
fn integer_weights_stand_for_what_they_were_rounded_to() {
    for (architecture, input) in architectures(Activation::Gelu) {
        let graph = trace(&network(&architecture, input), input);
        let inputs = random(2, input.features());
        let whole: (Quantization, Graph) = weights(&graph, int8);
        let fours = [2, 5, usize::MAX].map(|group| weights(&graph, int4(group)));
        for (quantization, reals) in std::iter::once(whole).chain(fours) {
            let onnx = written(&graph, Some(&quantization));
            let ours = reals.forward(inputs.clone(), |_, values| values);
            let theirs = interpreted(&onnx, &inputs);
            let largest = theirs.iter().fold(1f64, |most, value| most.max(value.abs()));
            let difference = largest_difference(ours, &theirs) / largest;
            assert!(difference < 1e-5, "{architecture:?}: {difference}");
        }
    }
}

#[test]
fn values_in_integers_are_rounded_where_the_network_holds_them() {
    for (architecture, input) in architectures(Activation::Relu) {
        let graph = trace(&network(&architecture, input), input);
        let inputs = random(2, input.features());
        let (mut quantization, reals) = weights(&graph, int8);
        reals.forward(inputs.clone(), |value, values| {
            let (low, high) =
                (values.clone().min().into_scalar::<f32>(), values.clone().max().into_scalar::<f32>());
            let scale = (high.max(0.0) - low.min(0.0)) / 255.0;
            let zero = (-low.min(0.0) / scale).round() as u8;
            quantization.values.insert(value, Affine { scale, zero });
            values
        });
        let onnx = written(&graph, Some(&quantization));
        let ours = reals.forward(inputs.clone(), |value, values| {
            let Affine { scale, zero } = quantization.values[&value];
            let zero = f32::from(zero);
            (((values / scale).round() + zero).clamp(0.0, 255.0) - zero) * scale
        });
        // A value between two integers may fall to either side, and its step spreads from there.
        let step = f64::from(quantization.values[&graph.output].scale);
        let difference = largest_difference(ours, &interpreted(&onnx, &inputs));
        assert!(difference < 4.5 * step, "{architecture:?}: {difference} in steps of {step}");
        let count = |operator| operators(&onnx).iter().filter(|&&found| found == operator).count();
        assert_eq!(count("QuantizeLinear"), graph.nodes.len() + 1, "{architecture:?}");
    }
}

#[test]
fn eight_bits_have_a_scale_for_each_output_and_the_bias_the_product_of_both() {
    let (network, graph) = mlp(Activation::Gelu);
    let scales = vec![0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
    let values8: Vec<i8> = (-15..15).collect();
    let given = Weights::Int8 { values: values8.clone(), scales: scales.clone() };
    let quantization = Quantization {
        values: [(Value::Input, Affine { scale: 0.125, zero: 7 })].into(),
        before: [(0, Affine { scale: 0.5, zero: 128 })].into(),
        weights: [("fc1.weight".to_owned(), given)].into(),
    };
    let onnx = written(&graph, Some(&quantization));
    let expected = [
        "QuantizeLinear",
        "DequantizeLinear",
        "DequantizeLinear",
        "DequantizeLinear",
        "Gemm",
        "QuantizeLinear",
        "DequantizeLinear",
        "Gelu",
    ];
    assert_eq!(operators(&onnx)[..8], expected);
    let weight = constant(&onnx, "fc1.weight");
    assert_eq!((weight.data_type(), weight.dims.as_slice()), (DataType::Int8, &[6, 5][..]));
    assert_eq!(weight.raw_data, values8.iter().map(|v| v.cast_unsigned()).collect::<Vec<_>>());
    assert_eq!(
        values(&onnx, "fc1.weight/scale").values,
        scales.iter().map(|&scale| f64::from(scale)).collect::<Vec<_>>()
    );
    assert_eq!(values(&onnx, "fc1/before/zero").values, [128.0]);
    assert_eq!(values(&onnx, "input/zero").values, [7.0]);
    let bias = constant(&onnx, "fc1.bias");
    assert_eq!(bias.data_type(), DataType::Int32);
    let floats = crucible_models::weights::collect(&network)["fc1.bias"].values.clone();
    let expected: Vec<f64> =
        floats.iter().zip(&scales).map(|(b, s)| f64::from(b / (s * 0.125)).round_ties_even()).collect();
    assert_eq!(values(&onnx, "fc1.bias").values, expected);
    assert_eq!(constant(&onnx, "fc2.bias").data_type(), DataType::Float, "its input is f32");
}

#[test]
fn a_bias_beyond_32_bits_stays_floating_point() {
    let (_, graph) = mlp(Activation::Relu);
    let given = Weights::Int8 { values: vec![1; 30], scales: vec![1e-9; 6] };
    let quantization = Quantization {
        values: [(Value::Input, Affine { scale: 1e-9, zero: 0 })].into(),
        weights: [("fc1.weight".to_owned(), given)].into(),
        ..Quantization::default()
    };
    let onnx = written(&graph, Some(&quantization));
    assert_eq!(constant(&onnx, "fc1.bias").data_type(), DataType::Float);
}

#[test]
fn four_bits_are_packed_by_columns_with_the_first_in_the_lower_half() {
    let (_, graph) = mlp(Activation::Relu);
    // Three outputs of four weights in groups of three and one.
    let given = vec![-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 7];
    let scales = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let given = Weights::Int4 { values: given, scales, group: 3 };
    let quantization =
        Quantization { weights: [("fc3.weight".to_owned(), given)].into(), ..Quantization::default() };
    let onnx = written(&graph, Some(&quantization));
    let weight = constant(&onnx, "fc3.weight");
    assert_eq!((weight.data_type(), weight.dims.as_slice()), (DataType::Int4, &[4, 3][..]));
    // [in, out]: -8 -4 0, -7 -3 1, -6 -2 2, -5 -1 7.
    assert_eq!(weight.raw_data, [0xc8, 0x90, 0x1d, 0xea, 0xb2, 0x7f]);
    let scale = values(&onnx, "fc3.weight/scale");
    assert_eq!((scale.shape, scale.values), (vec![2, 3], vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0]));
    assert_eq!(constant(&onnx, "fc3.bias").data_type(), DataType::Float);
    assert_eq!(operators(&onnx)[4..], ["DequantizeLinear", "Gemm", "Add"]);
}
