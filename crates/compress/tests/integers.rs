//! Networks of every architecture in integers, against themselves in floats.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use burn::tensor::{Device, Tensor, TensorData};
use crucible_compress::{
    ActivationFormat, Archive, Arithmetic, CompressError, Compressed, Program, QuantizeConfig, Stored,
    WeightFormat,
    calibration::{CalibrationConfig, MinMax},
    quantize,
};
use crucible_kernels::int8::Path;
use crucible_models::{
    Architecture, Graph, InputShape, Network, NoTap, Observe, Operation, Site, Tapped, Value, weights,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};

const OUTPUTS: usize = 7;

/// One of each architecture, with everything that changes how integers flow.
fn all() -> Vec<(Json, InputShape)> {
    let rows = InputShape::Features { count: 21 };
    let grey = InputShape::Image { channels: 1, height: 16, width: 15 };
    let colour = InputShape::Image { channels: 3, height: 14, width: 13 };
    let convnet = |activation: &str| {
        json!({"name": "convnet", "activation": activation, "hidden": [11],
            "conv": [{"channels": 5, "kernel": 3, "padding": 1, "pool": 2}, {"channels": 20, "kernel": 2, "stride": 2}]})
    };
    vec![
        (json!({"name": "mlp", "hidden": []}), rows),
        (json!({"name": "mlp", "hidden": [30, 17]}), rows),
        (json!({"name": "mlp", "hidden": [30, 17], "batch_norm": true, "dropout": 0.3}), rows),
        (json!({"name": "mlp", "hidden": [30, 17], "activation": "gelu", "batch_norm": true}), colour),
        (json!({"name": "lenet5"}), grey),
        (json!({"name": "lenet5", "activation": "relu"}), colour),
        (json!({"name": "cnn", "dropout": 0.2}), grey),
        (json!({"name": "cnn"}), colour),
        (convnet("relu"), colour),
        (convnet("leaky-relu"), grey),
        (json!({"name": "transformer", "width": 8, "heads": 2, "layers": 2, "feedforward": 12}), colour),
        (
            json!({"name": "transformer", "width": 6, "heads": 3, "layers": 1, "activation": "relu", "norm_first": false}),
            InputShape::Sequence { length: 5, width: 6 },
        ),
    ]
}

fn fresh(value: &Json, input: InputShape, seed: u64) -> Network {
    let architecture: Architecture = serde_json::from_value(value.clone()).unwrap();
    architecture.init(input, OUTPUTS, &mut ChaCha8Rng::seed_from_u64(seed), &Device::flex()).unwrap()
}

/// A network whose batch norms, if it has any, do something.
fn network(value: &Json, input: InputShape) -> Network {
    let network = fresh(value, input, 1);
    let mut state = weights::collect(&network);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for (_, tensor) in state.iter_mut().filter(|(name, _)| name.starts_with("bn")) {
        tensor.values.iter_mut().for_each(|value| *value = 0.5 + rng.random::<f32>());
    }
    weights::assign(network, &state).unwrap()
}

/// Inputs about as large as standardised data, most of their values positive.
fn inputs(count: usize, features: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count * features).map(|_| 3.0 * rng.random::<f32>() - 1.0).collect()
}

fn tensor(values: &[f32], features: usize) -> Tensor<2> {
    let shape = [values.len() / features, features];
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

fn outputs(network: &impl Tapped, values: &[f32], features: usize) -> Vec<f32> {
    network.forward(tensor(values, features), &mut NoTap).into_data().try_to_vec().unwrap()
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn min_max() -> QuantizeConfig {
    let calibration = CalibrationConfig::MinMax(MinMax {});
    QuantizeConfig { activations: ActivationFormat::Static { calibration }, ..QuantizeConfig::default() }
}

fn compress(network: &Network, input: InputShape, config: &QuantizeConfig) -> Archive {
    let features = input.features();
    quantize(network, &inputs(64, features, 3), features, config, &Device::flex()).unwrap()
}

fn open(archive: &Archive, value: &Json, input: InputShape) -> Compressed {
    Compressed::open(archive, fresh(value, input, 9), input.features(), &Device::flex()).unwrap()
}

/// What the integers of an archive stand for, computed in floats by another way: every layer by Burn with rounded weights,
/// and every value that is held in bytes rounded to one.
fn simulated(archive: &Archive, value: &Json, input: InputShape, values: &[f32]) -> Vec<f32> {
    let Arithmetic::Static { values: held } = &archive.arithmetic else { panic!("{:?}", archive.arithmetic) };
    let network = weights::assign(fresh(value, input, 9), &archive.state()).unwrap();
    let graph = Graph::trace(&network, input.features(), &Device::flex()).unwrap().split_activations();
    let output = graph.forward(tensor(values, input.features()), |at, tensor| {
        // What a folded batch norm gives is what it reads.
        let name = match at {
            Value::Node(index) if matches!(graph.nodes[index].operation, Operation::BatchNorm(_)) => {
                return tensor;
            }
            at => graph.name(at),
        };
        let Some(affine) = held.get(name) else { return tensor };
        let shape = tensor.dims();
        let values: Vec<f32> = tensor.into_data().try_to_vec().unwrap();
        let rounded = values.iter().map(|value| affine.dequantize(affine.quantize(*value))).collect();
        Tensor::from_data(TensorData::new(rounded, shape), &Device::flex())
    });
    output.into_data().try_to_vec().unwrap()
}

#[test]
fn integers_compute_what_they_stand_for() {
    for (value, input) in all() {
        let network = network(&value, input);
        for correct_biases in [false, true] {
            let archive = compress(&network, input, &QuantizeConfig { correct_biases, ..min_max() });
            let compressed = open(&archive, &value, input);
            assert!(compressed.program().is_some(), "{value}");
            let values = inputs(37, input.features(), 4);
            let found = outputs(&compressed, &values, input.features());
            let expected = simulated(&archive, &value, input, &values);
            // Equal but for values that lie between two bytes, which fall one way or the other: in small networks few do.
            let alike =
                found.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() < 1e-4 * largest(&expected));
            let share = alike.count() as f32 / found.len() as f32;
            let off = difference(&found, &expected) / largest(&expected);
            let least = if value["name"] == "mlp" { 0.5 } else { 0.0 };
            assert!(share >= least && off < 0.02, "{value}: {share} alike, off by {off}");
        }
    }
}

#[test]
fn answers_are_near_those_of_floats() {
    for (value, input) in all() {
        let network = network(&value, input);
        let values = inputs(50, input.features(), 4);
        let (before, expected) = (weights::collect(&network), outputs(&network, &values, input.features()));
        let weights_only = |bits| QuantizeConfig {
            weights: WeightFormat::Groups { bits, group: 8 },
            activations: ActivationFormat::Float,
            ..QuantizeConfig::default()
        };
        let dynamic = QuantizeConfig { activations: ActivationFormat::Dynamic, ..QuantizeConfig::default() };
        let equalized = QuantizeConfig { equalize: true, ..min_max() };
        let cases = [
            (min_max(), 0.05),
            (dynamic, 0.05),
            (equalized, 0.05),
            (weights_only(8), 0.02),
            (weights_only(4), 0.25),
        ];
        for (config, tolerance) in cases {
            // Calibrated on the same inputs, so that no activation is cut off.
            let archive = quantize(&network, &values, input.features(), &config, &Device::flex()).unwrap();
            let compressed = open(&archive, &value, input);
            let off =
                difference(&outputs(&compressed, &values, input.features()), &expected) / largest(&expected);
            assert!(off > 0.0 && off < tolerance, "{value} {config:?}: off by {off}");
            assert_eq!(weights::collect(&network), before, "compressing a network leaves it as it was");
        }
    }
}

#[test]
fn all_instructions_and_all_batches_give_the_same_bytes() {
    for (value, input) in all() {
        let (network, features) = (network(&value, input), input.features());
        let is_transformer = value["name"] == "transformer";
        for activations in [min_max().activations, ActivationFormat::Dynamic] {
            let archive = compress(&network, input, &QuantizeConfig { activations, ..min_max() });
            let assigned = weights::assign(fresh(&value, input, 9), &archive.state()).unwrap();
            let program = || Program::new(&archive, &assigned, features, &Device::flex()).unwrap();
            let values = inputs(9, features, 5);
            let all = program().run(&values);
            for path in Path::available() {
                assert!(program().with_path(path).run(&values) == all, "{value} {}", path.name());
            }
            let one_by_one: Vec<f32> =
                values.chunks(features).flat_map(|input| program().run(input)).collect();
            // Attention and normalization are floats, whose sums may depend on the batch.
            assert!(is_transformer || one_by_one == all, "{value}");
            assert!(program().run(&[]).is_empty());
        }
    }
}

#[test]
fn a_file_holds_the_network_and_is_a_fraction_of_its_floats() {
    for (value, input) in all() {
        let network = network(&value, input);
        let archive = compress(&network, input, &min_max());
        let again = Archive::from_bytes(&archive.to_bytes()).unwrap();
        assert_eq!(again, archive);
        let values = inputs(3, input.features(), 6);
        let found = [&archive, &again]
            .map(|archive| outputs(&open(archive, &value, input), &values, input.features()));
        assert_eq!(found[0], found[1]);
        assert_ne!(found[0], outputs(&network, &values, input.features()));
    }
}

#[test]
fn gradients_and_taps_see_the_floats_that_the_integers_stand_for() {
    let (value, input) = all().swap_remove(1);
    let archive = compress(&network(&value, input), input, &min_max());
    let (compressed, values) = (open(&archive, &value, input), inputs(4, 21, 7));
    let floats = outputs(compressed.network(), &values, 21);
    let tracked = Tensor::from_inner(tensor(&values, 21)).require_grad();
    let seen = compressed.forward(tracked, &mut NoTap).inner().into_data().try_to_vec::<f32>().unwrap();
    assert_eq!(seen, floats);
    let mut sites = 0;
    let _ = compressed.forward(tensor(&values, 21), &mut Observe(|_: &Site<'_>, _| sites += 1));
    assert_eq!(sites, 3);
    assert_ne!(outputs(&compressed, &values, 21), floats);
}

#[test]
fn kept_layers_stay_floats() {
    let (value, input) = all().swap_remove(6);
    let config = QuantizeConfig { keep: vec!["conv1".to_owned(), "fc2".to_owned()], ..min_max() };
    let archive = compress(&network(&value, input), input, &config);
    let floats: Vec<&str> = archive
        .tensors
        .iter()
        .filter(|(_, t)| matches!(t, Stored::Float(_)))
        .map(|(n, _)| n.as_str())
        .collect();
    assert_eq!(floats, ["conv1.bias", "conv1.weight", "conv2.bias", "fc1.bias", "fc2.bias", "fc2.weight"]);
    let values = inputs(5, input.features(), 8);
    let off = difference(
        &outputs(&open(&archive, &value, input), &values, input.features()),
        &simulated(&archive, &value, input, &values),
    );
    assert!(off < 0.02, "{off}");
}

#[test]
fn what_cannot_be_done_is_said_and_why() {
    let (value, input) = all().swap_remove(6);
    let network = network(&value, input);
    let attempt = |inputs: &[f32], config: QuantizeConfig| -> CompressError {
        quantize(&network, inputs, input.features(), &config, &Device::flex()).unwrap_err()
    };
    let some = inputs(4, input.features(), 1);
    assert_eq!(
        attempt(&[], min_max()).to_string(),
        "calibration has no examples; it takes at least one, and some hundreds to be good"
    );
    let config = QuantizeConfig { keep: vec!["conv9".to_owned()], ..min_max() };
    assert_eq!(
        attempt(&some, config).to_string(),
        "there is no layer `conv9` to keep; there are: conv1, conv2, fc1, fc2"
    );
    for (bits, group, message) in
        [(3, 32, "weights have 4 or 8 bits, not 3"), (4, 1, "a group holds at least 2 weights, not 1")]
    {
        let weights = WeightFormat::Groups { bits, group };
        let config = QuantizeConfig { weights, activations: ActivationFormat::Float, ..min_max() };
        assert_eq!(attempt(&some, config).to_string(), message);
    }
    let mut state = weights::collect(&network);
    state.get_mut("fc1.bias").unwrap().values[0] = f32::NAN;
    let broken = weights::assign(network.clone(), &state).unwrap();
    let error = quantize(&broken, &some, input.features(), &min_max(), &Device::flex()).unwrap_err();
    assert_eq!(error.to_string(), "fc1.bias is not finite; a network must be sound before it is compressed");
}
