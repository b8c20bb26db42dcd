//! A network of random weights as an ONNX file, with inputs and what the network makes of them.
//!
//! `export SETTINGS FOLDER` writes `model.onnx`, `input.npy` and `output.npy`. The settings are JSON: `architecture`,
//! `input`, `outputs`, `seed`, and `quantize`: `int8` for values and weights, `int4` for weights only, by their least
//! and largest values. `benches/onnx_runtime.py` runs it.

use std::error::Error;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    Activation, Architecture, Graph, InputShape, Network, Operation, Value,
    weights::{self, HostTensor, to_npy},
};
use crucible_onnx::{Affine, Quantization, Weights, export};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

const EXAMPLES: usize = 64;
/// Weights of a group of four bits.
const GROUP: usize = 32;

#[derive(Deserialize)]
struct Settings {
    architecture: Architecture,
    input: InputShape,
    outputs: usize,
    seed: u64,
    quantize: Option<Bits>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Bits {
    Int8,
    Int4,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [settings, folder] = arguments.as_slice() else { return Err("usage: export SETTINGS FOLDER".into()) };
    let settings: Settings = serde_json::from_str(settings)?;
    let device = Device::flex();
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let features = settings.input.features();
    let graph = Graph::trace(&network(&settings, &mut rng, &device)?, features, &device)?;
    let values: Vec<f32> = (0..EXAMPLES * features).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect();
    let input = Tensor::<2>::from_data(TensorData::new(values, [EXAMPLES, features]), &device);

    let (quantization, output) = match settings.quantize {
        None => (None, graph.forward(input.clone(), |_, values| values)),
        Some(bits) => {
            let (quantization, output) = quantized(&graph, bits, &input);
            (Some(quantization), output)
        }
    };
    std::fs::write(format!("{folder}/model.onnx"), export(&graph, quantization.as_ref())?)?;
    for (name, tensor) in [("input", input), ("output", output)] {
        let tensor = HostTensor { shape: tensor.dims().to_vec(), values: host(tensor) };
        std::fs::write(format!("{folder}/{name}.npy"), to_npy(&tensor))?;
    }
    Ok(())
}

/// A network whose every parameter is away from where it starts, statistics and shifts too.
fn network(settings: &Settings, rng: &mut ChaCha8Rng, device: &Device) -> Result<Network, Box<dyn Error>> {
    let network = settings.architecture.init(settings.input, settings.outputs, rng, device)?;
    let mut state = weights::collect(&network);
    for tensor in state.values_mut() {
        let scale = if tensor.shape.len() == 1 { 0.3 } else { 0.01 };
        tensor.values.iter_mut().for_each(|value| *value += scale * (rng.random::<f32>() - 0.4));
    }
    Ok(weights::assign(network, &state)?)
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("networks here hold f32")
}

/// A quantization from the values that these inputs give, and the output with every weight and value rounded by it.
fn quantized(graph: &Graph, bits: Bits, input: &Tensor<2>) -> (Quantization, Tensor<2>) {
    let mut quantization = Quantization::default();
    let mut reals = graph.clone();
    for node in &mut reals.nodes {
        let separator = if node.name.ends_with(".in_proj") { '_' } else { '.' };
        let name = format!("{}{separator}weight", node.name);
        match &mut node.operation {
            Operation::Linear(layer, _) => {
                layer.weight = round(&mut quantization, name, bits, layer.weight.val())
            }
            Operation::Conv2d(layer, _) => {
                layer.weight = round(&mut quantization, name, bits, layer.weight.val())
            }
            _ => {}
        }
    }
    if bits == Bits::Int8 {
        for index in 0..reals.nodes.len() {
            if let Some(affine) = before(&reals, index, input) {
                quantization.before.insert(index, affine);
            }
        }
        reals.forward(input.clone(), |value, values| {
            quantization.values.insert(value, affine(&values));
            values
        });
    }
    let output = reals.forward(input.clone(), |value, values| match quantization.values.get(&value) {
        Some(Affine { scale, zero }) => {
            let zero = f32::from(*zero);
            (((values / *scale).round() + zero).clamp(0.0, 255.0) - zero) * *scale
        }
        None => values,
    });
    (quantization, output)
}

/// Rounds a weight, and returns what it then is.
fn round<const D: usize>(
    quantization: &mut Quantization,
    name: String,
    bits: Bits,
    weight: Tensor<D>,
) -> Param<Tensor<D>> {
    let (device, dims) = (weight.device(), weight.dims());
    let weight = host(weight);
    let row = weight.len() / dims[0];
    let (group, largest) = if bits == Bits::Int8 { (row, 127.0) } else { (GROUP, 7.0) };
    let (mut values, mut scales, mut reals) = (Vec::new(), Vec::new(), Vec::new());
    for group in weight.chunks(row).flat_map(|row| row.chunks(group)) {
        let scale = group.iter().fold(0f32, |most, weight| most.max(weight.abs())) / largest;
        scales.push(scale);
        for weight in group {
            values.push((weight / scale).round() as i8);
            reals.push((weight / scale).round() * scale);
        }
    }
    let weights = match bits {
        Bits::Int8 => Weights::Int8 { values, scales },
        Bits::Int4 => Weights::Int4 { values, scales, group },
    };
    quantization.weights.insert(name, weights);
    Param::from_tensor(Tensor::from_data(TensorData::new(reals, dims), &device))
}

/// How a node's result before an activation that is not ReLU would be held.
fn before(graph: &Graph, index: usize, input: &Tensor<2>) -> Option<Affine> {
    let mut graph = graph.clone();
    let (Operation::Linear(_, activation) | Operation::Conv2d(_, activation)) =
        &mut graph.nodes[index].operation
    else {
        return None;
    };
    if matches!(activation, Activation::Identity | Activation::Relu) {
        return None;
    }
    *activation = Activation::Identity;
    let mut found = None;
    graph.forward(input.clone(), |value, values| {
        if value == Value::Node(index) {
            found = Some(affine(&values));
        }
        values
    });
    found
}

/// The `u8` over a value's range, and zero.
fn affine(values: &Tensor<2>) -> Affine {
    let values = host(values.clone());
    let low = values.iter().fold(0f32, |low, value| low.min(*value));
    let high = values.iter().fold(0f32, |high, value| high.max(*value));
    let scale = ((high - low) / 255.0).max(f32::MIN_POSITIVE);
    Affine { scale, zero: (-low / scale).round() as u8 }
}
