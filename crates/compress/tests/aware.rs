//! Training that knows of its integers ends in a network that computes in them.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{Device, Tensor, TensorData};
use crucible_compress::{
    ActivationFormat, Archive, Compressed, Prepared, QuantizationAware, QuantizeConfig, STEPS, WeightFormat,
};
use crucible_data::{Dataset, Examples, Format, InputFormat, Inputs, Targets, Task};
use crucible_models::{
    Architecture, InputShape, Network, NoTap, Tapped,
    weights::{self, State},
};
use crucible_train::{Event, Job, RunFolder, StopReason, TrainConfig, evaluate, train};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

const SIDE: usize = 10;
const PICTURE: InputShape = InputShape::Image { channels: 1, height: SIDE, width: SIDE };

fn architecture() -> Architecture {
    let conv = json!([{"channels": 6, "kernel": 3, "pool": 2}]);
    serde_json::from_value(json!({"name": "convnet", "conv": conv, "hidden": [12]})).unwrap()
}

/// A network with large outputs, so that rounding shows.
fn network() -> Network {
    let network =
        architecture().init(PICTURE, 3, &mut ChaCha8Rng::seed_from_u64(1), &Device::flex()).unwrap();
    let mut state = weights::collect(&network);
    state.values_mut().flat_map(|tensor| &mut tensor.values).for_each(|value| *value *= 2.0);
    weights::assign(network, &state).unwrap()
}

/// Noisy pictures of three classes that differ in one row.
fn pictures() -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let labels: Vec<u32> = (0..96).map(|i| i % 3).collect();
    let mut pixel = |label: u32, at: usize| {
        let row = if at / SIDE == 3 * label as usize { 0.5 } else { 0.0 };
        row + rng.random::<f32>() - 0.5
    };
    let values: Vec<f32> = labels
        .iter()
        .flat_map(|label| (0..SIDE * SIDE).map(|at| pixel(*label, at)).collect::<Vec<_>>())
        .collect();
    let train = Examples::new(vec![1, SIDE, SIDE], Inputs::Floats(values), Targets::Classes(labels));
    let input =
        InputFormat::Image { channels: 1, height: SIDE, width: SIDE, mean: vec![0.0], std: vec![1.0] };
    let task = Task::Classification { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    Dataset { name: "rows".to_owned(), format: Format { input, task }, train, validation: None, test: None }
}

fn inputs(data: &Dataset) -> Vec<f32> {
    let indices: Vec<u32> = (0..data.train.len() as u32).collect();
    let mut inputs = Vec::new();
    data.train.gather(&indices, &mut inputs);
    inputs
}

fn four_bits() -> QuantizeConfig {
    QuantizeConfig {
        weights: WeightFormat::Groups { bits: 4, group: 50 },
        activations: ActivationFormat::Float,
        correct_biases: false,
        ..QuantizeConfig::default()
    }
}

fn eight_bits() -> QuantizeConfig {
    QuantizeConfig { correct_biases: false, ..QuantizeConfig::default() }
}

fn prepared(data: &Dataset, config: &QuantizeConfig) -> Arc<Prepared> {
    let inputs = inputs(data);
    Arc::new(Prepared::new(&network(), &inputs, SIDE * SIDE, config, &Device::flex()).unwrap())
}

fn settings() -> TrainConfig {
    serde_json::from_value(json!({"epochs": 40, "batch_size": 32, "optimizer": {"name": "sgd", "lr": 0.1}}))
        .unwrap()
}

/// Trains, stopping after `stop_at` steps if that is any: the weights, if training ended, and the loss of the first step.
fn retrain(
    folder: &RunFolder,
    config: &QuantizeConfig,
    train_config: &TrainConfig,
    stop_at: Option<u64>,
) -> (Option<State>, f64) {
    let (device, data, stop) = (Device::flex(), pictures(), AtomicBool::new(false));
    let prepared = prepared(&data, config);
    let network = prepared.network().clone();
    let rule = &mut QuantizationAware::new(prepared, &device).unwrap();
    let job = Job {
        network,
        data: &data,
        config: train_config,
        rule,
        seed: 3,
        device: &device,
        folder,
        stop: &stop,
        clock: &|| 0.0,
    };
    let mut first = None;
    let outcome = train(job, &mut |event| {
        if let Event::Step { step, loss, .. } = event {
            first = first.or(Some(loss));
            stop.store(Some(step) == stop_at, Ordering::Relaxed);
        }
    });
    let outcome = outcome.unwrap();
    let ended = outcome.reason != StopReason::Interrupted;
    (ended.then(|| weights::collect(&outcome.network)), first.unwrap())
}

fn folder(place: &tempfile::TempDir, name: &str) -> RunFolder {
    RunFolder::create(&place.path().join(name), "").unwrap()
}

fn open(archive: &Archive) -> Compressed {
    Compressed::open(archive, network(), SIDE * SIDE, &Device::flex()).unwrap()
}

fn loss(network: &impl Tapped, data: &Dataset) -> f64 {
    let loss = settings().loss;
    evaluate(network, &data.train, loss.loss(), &data.format.task, &Device::flex()).loss
}

#[test]
fn the_first_step_sees_the_loss_of_the_integers() {
    let (place, data) = (tempfile::tempdir().unwrap(), pictures());
    let mut whole = settings();
    (whole.batch_size, whole.epochs) = (data.train.len(), 1);
    for (name, config, tolerance) in [("four", four_bits(), 1e-5), ("eight", eight_bits(), 1e-3)] {
        let (_, first) = retrain(&folder(&place, name), &config, &whole, None);
        let prepared = prepared(&data, &config);
        let expected = loss(&open(&prepared.archive(prepared.formats()).unwrap()), &data);
        let floats = loss(prepared.network(), &data);
        assert!((first - expected).abs() < tolerance, "{name}: {first} and {expected}");
        assert!(
            name == "eight" || (floats - expected).abs() > 1e-3,
            "{name} bits are nearly floats: {floats}"
        );
    }
}

#[test]
fn training_mends_what_rounding_broke_and_goes_on_to_the_same_bytes() {
    let (place, data) = (tempfile::tempdir().unwrap(), pictures());
    for (name, config) in [("four", four_bits()), ("eight", eight_bits())] {
        let [once, twice] = ["once", "twice"].map(|way| folder(&place, &format!("{name}-{way}")));
        let (state, before) = retrain(&once, &config, &settings(), None);
        assert!(retrain(&twice, &config, &settings(), Some(17)).0.is_none());
        let again = retrain(&twice, &config, &settings(), None).0;
        let steps = [&once, &twice].map(|folder| folder.read(STEPS).unwrap());
        assert!(state == again && steps[0] == steps[1], "{name} bits: another way after a stop");

        let prepared = prepared(&data, &config);
        let (steps, _) = weights::from_safetensors(&steps[0], "format").unwrap();
        let archive = prepared.trained(state.clone().unwrap(), &steps).unwrap();
        let compressed = open(&archive);
        let after = loss(&compressed, &data);
        assert!(after < 0.9 * before, "{name} bits: {before} before, {after} after");

        // What was measured and kept in training is the network of the archive.
        let kept = weights::assign(network(), &state.unwrap()).unwrap();
        let input =
            || Tensor::<2>::from_data(TensorData::new(inputs(&data), [96, SIDE * SIDE]), &Device::flex());
        let [kept, floats] =
            [&kept, compressed.network()].map(|network| network.forward(input(), &mut NoTap).into_data());
        kept.assert_approx_eq::<f32>(&floats, burn::tensor::Tolerance::absolute(1e-5));
        let learned = steps.iter().filter(|(name, _)| name.starts_with("log/"));
        assert_eq!(learned.clone().filter(|(name, _)| name.contains("value/")).count() > 0, name == "eight");
        let moved = learned
            .filter(|(name, _)| steps[&name.replacen("log", "square", 1)].values.iter().any(|v| *v > 0.0));
        assert_eq!(moved.count(), steps.len() / 3, "{name} bits: every step has learned");
    }
}

#[test]
fn steps_of_another_network_are_refused() {
    let (place, data) = (tempfile::tempdir().unwrap(), pictures());
    let mut one = settings();
    one.epochs = 1;
    let folder = folder(&place, "run");
    let (state, _) = retrain(&folder, &four_bits(), &one, None);
    let (mut steps, _) = weights::from_safetensors(&folder.read(STEPS).unwrap(), "format").unwrap();
    let (four, eight) = (prepared(&data, &four_bits()), prepared(&data, &eight_bits()));
    let error = |prepared: &Prepared, steps: &State| {
        prepared.trained(state.clone().unwrap(), steps).unwrap_err().to_string()
    };
    assert!(error(&eight, &steps).contains("is missing or of another shape"));
    steps.get_mut("log/weight/fc1").unwrap().values[0] = f32::NAN;
    assert!(error(&four, &steps).contains("is not finite"));
}
