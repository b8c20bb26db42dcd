//! Fine-tuning changes what it should, and nothing else.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use crucible_data::{Dataset, Examples, Format, InputFormat, Inputs, Targets, Task};
use crucible_models::{
    Architecture, InputShape, Network,
    adapters::{self, peft::Peft},
    weights::{self, State},
};
use crucible_train::{
    Event, Job, Ordinary, PlainLoss, RunFolder, StopReason, TrainConfig, Wrapped, evaluate, train,
    transfer::{BitFit, FineTuning, Full, Layers, LinearProbe, Lora, Mode, Parameters, Places, Probe},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

const FEATURES: usize = 8;

fn network() -> Network {
    let architecture: Architecture =
        serde_json::from_value(json!({"name": "mlp", "hidden": [12, 6]})).unwrap();
    let input = InputShape::Features { count: FEATURES };
    architecture.init(input, 3, &mut ChaCha8Rng::seed_from_u64(1), &Device::flex()).unwrap()
}

/// Rows of three classes, each high in other columns.
fn rows() -> Dataset {
    let labels: Vec<u32> = (0..48).map(|i| i % 3).collect();
    let cell = |row: usize, column: usize| {
        let own = if column % 3 == row % 3 { 0.7 } else { 0.0 };
        own + ((row * 31 + column * 17) % 13) as f32 / 13.0 - 0.5
    };
    let values = (0..48).flat_map(|row| (0..FEATURES).map(move |column| cell(row, column))).collect();
    let train = Examples::new(vec![FEATURES], Inputs::Floats(values), Targets::Classes(labels));
    let input = InputFormat::Table { columns: Vec::new(), missing: Vec::new(), delimiter: ',' };
    let task = Task::Classification { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    Dataset { name: "rows".to_owned(), format: Format { input, task }, train, validation: None, test: None }
}

fn settings(epochs: u64, optimizer: &str) -> TrainConfig {
    let optimizer = json!({"name": optimizer, "lr": 0.05});
    serde_json::from_value(json!({"epochs": epochs, "batch_size": 16, "optimizer": optimizer})).unwrap()
}

/// Trains the network by a mode, stopping after `stop_at` steps if that is any: the result, if training ended.
fn fine_tune(folder: &RunFolder, mode: &Mode, config: &TrainConfig, stop_at: Option<u64>) -> Option<Network> {
    let (device, mut data, stop) = (Device::flex(), rows(), AtomicBool::new(false));
    let places = Places::new(&network(), FEATURES, &device);
    let rule = Box::new(Ordinary::new(PlainLoss));
    let (network, mut rule): (Network, Box<dyn crucible_train::UpdateRule>) = match mode {
        Mode::Probe(_) => {
            data = LinearProbe::features(&network(), &data, &device);
            let linear: Architecture = serde_json::from_value(json!({"name": "mlp", "hidden": []})).unwrap();
            let input = InputShape::Features { count: data.train.input_len() };
            let layer = linear.init(input, 3, &mut ChaCha8Rng::seed_from_u64(9), &device).unwrap();
            let state = LinearProbe::layer(&weights::collect(&network()), &places);
            let around = LinearProbe::new(network(), &places);
            (weights::assign(layer, &state).unwrap(), Box::new(Wrapped::new(rule, around)))
        }
        mode => {
            let network = mode.way().adapted(network(), &mut ChaCha8Rng::seed_from_u64(2)).unwrap();
            let places = Places::new(&network, FEATURES, &device);
            let network = FineTuning::frozen(mode, &places, network);
            (network, Box::new(Wrapped::new(rule, FineTuning::new(mode.clone(), places, "before"))))
        }
    };
    let job = Job {
        network,
        data: &data,
        config,
        rule: &mut *rule,
        seed: 3,
        device: &device,
        folder,
        stop: &stop,
        clock: &|| 0.0,
    };
    let outcome = train(job, &mut |event| {
        if let Event::Step { step, .. } = event {
            stop.store(Some(step) == stop_at, Ordering::Relaxed);
        }
    });
    let outcome = outcome.unwrap();
    (outcome.reason != StopReason::Interrupted).then_some(outcome.network)
}

fn folder(place: &tempfile::TempDir, name: &str) -> RunFolder {
    RunFolder::create(&place.path().join(name), "").unwrap()
}

/// Names of the parameters that differ.
fn changed(before: &State, after: &State) -> Vec<String> {
    assert!(before.keys().eq(after.keys()));
    before.iter().filter(|(name, tensor)| after[*name] != **tensor).map(|(name, _)| name.clone()).collect()
}

#[test]
fn what_is_trained_changes_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let layers =
        |names: &[&str]| Mode::Layers(Layers { layers: names.iter().map(ToString::to_string).collect() });
    let all = ["fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight", "fc3.bias", "fc3.weight"];
    let cases = [
        (Mode::Full(Full::default()), &all[..], 8 * 12 + 12 + 12 * 6 + 6 + 6 * 3 + 3),
        (Mode::Probe(Probe {}), &all[4..], 6 * 3 + 3),
        (layers(&["fc2"]), &all[2..], 12 * 6 + 6 + 6 * 3 + 3),
        (
            Mode::BitFit(BitFit {}),
            &["fc1.bias", "fc2.bias", "fc3.bias", "fc3.weight"][..],
            12 + 6 + 6 * 3 + 3,
        ),
        (
            Mode::Lora(Lora { rank: 2, ..Lora::default() }),
            &["fc1.weight", "fc2.weight", "fc3.bias", "fc3.weight"][..],
            2 * (8 + 12) + 2 * (12 + 6) + 6 * 3 + 3,
        ),
        (
            Mode::Lora(Lora { rank: 2, dora: true, targets: vec!["fc2".to_owned()], ..Lora::default() }),
            &["fc2.weight", "fc3.bias", "fc3.weight"][..],
            2 * (12 + 6) + 6 + 6 * 3 + 3,
        ),
        (
            Mode::Lora(Lora {
                rank: 2,
                targets: vec!["fc1".to_owned()],
                layers: vec!["fc2".to_owned()],
                ..Lora::default()
            }),
            &["fc1.weight", "fc2.bias", "fc2.weight", "fc3.bias", "fc3.weight"][..],
            2 * (8 + 12) + 12 * 6 + 6 + 6 * 3 + 3,
        ),
    ];
    let before = weights::collect(&network());
    for optimizer in ["sgd", "adamw", "muon"] {
        for (i, (mode, expected, count)) in cases.iter().enumerate() {
            let name = format!("{}-{i}-{optimizer}", mode.name());
            let after = fine_tune(&folder(&place, &name), mode, &settings(3, optimizer), None).unwrap();
            assert_eq!(changed(&before, &weights::collect(&after)), *expected, "{name}");
            let network = mode.way().adapted(network(), &mut ChaCha8Rng::seed_from_u64(2)).unwrap();
            let places = Places::new(&network, FEATURES, &Device::flex());
            let beside: usize =
                places.values().filter(|place| place.is_adapter).map(|place| place.count).sum();
            let parameters = Parameters::of(mode, &places);
            assert_eq!((parameters.trainable, parameters.total), (*count, 207 + beside), "{name}");
        }
    }
}

/// What is left apart from the weights makes of the network before the one after.
#[test]
fn adapters_are_kept_apart_too() {
    let place = tempfile::tempdir().unwrap();
    for lora in [Lora::default(), Lora { dora: true, rslora: true, dropout: 0.2, ..Lora::default() }] {
        let folder = folder(&place, if lora.dora { "dora" } else { "lora" });
        // The weights of the best epoch are the result, and so are its adapters.
        let mut config = settings(30, "adam");
        config.early_stopping =
            Some(serde_json::from_value(json!({"patience": 1, "min_delta": 0.2})).unwrap());
        let after = fine_tune(&folder, &Mode::Lora(lora), &config, None).unwrap();
        let text = String::from_utf8(folder.read("adapter/adapter_config.json").unwrap()).unwrap();
        let tensors = weights::open(&folder.path("adapter/adapter_model.safetensors")).unwrap().state;
        let peft = Peft::read(&text, tensors).unwrap();
        assert_eq!(peft.config.base, "before");
        let mut again = peft.apply(network()).unwrap();
        adapters::merge(&mut again);
        assert_eq!(weights::collect(&again), weights::collect(&after));
    }
    let mode = Mode::Full(Full::default());
    let full = folder(&place, "full");
    fine_tune(&full, &mode, &settings(1, "adam"), None).unwrap();
    assert!(!full.path("adapter").exists());
}

#[test]
fn layers_near_the_input_learn_less_and_later() {
    let place = tempfile::tempdir().unwrap();
    let one_step = |layer_decay: f64| {
        let mut config = settings(1, "sgd");
        config.batch_size = 48;
        let mode = Mode::Full(Full { layer_decay, unfreeze_every: 0 });
        let after = fine_tune(&folder(&place, &format!("{layer_decay}")), &mode, &config, None).unwrap();
        weights::collect(&after)
    };
    let (before, plain, decayed) = (weights::collect(&network()), one_step(1.0), one_step(0.5));
    for (layer, factor) in [("fc3", 1.0), ("fc2", 0.5), ("fc1", 0.25)] {
        let name = format!("{layer}.weight");
        let moves = |after: &State| -> Vec<f32> {
            after[&name].values.iter().zip(&before[&name].values).map(|(a, b)| a - b).collect()
        };
        for (plain, decayed) in moves(&plain).into_iter().zip(moves(&decayed)) {
            assert!((decayed - factor * plain).abs() < 1e-6, "{layer}: {decayed} is not {factor} of {plain}");
        }
    }

    let mode = Mode::Full(Full { layer_decay: 1.0, unfreeze_every: 2 });
    for (epochs, expected) in [(2, 2), (4, 4), (5, 6)] {
        let name = format!("unfrozen-{epochs}");
        let after = fine_tune(&folder(&place, &name), &mode, &settings(epochs, "sgd"), None).unwrap();
        assert_eq!(changed(&before, &weights::collect(&after)).len(), expected, "after {epochs} epochs");
    }
}

#[test]
fn every_mode_learns_and_goes_on_to_the_same_bytes_after_a_stop() {
    let (place, data) = (tempfile::tempdir().unwrap(), rows());
    let config = settings(12, "adam");
    let loss = |network: &Network| {
        evaluate(network, &data.train, config.loss.loss(), &data.format.task, &Device::flex()).loss
    };
    let mut modes = Mode::all();
    for mode in &mut modes {
        if let Mode::Layers(layers) = mode {
            layers.layers.push("fc2".to_owned());
        }
        let [once, twice] = ["once", "twice"].map(|way| folder(&place, &format!("{}-{way}", mode.name())));
        let whole = fine_tune(&once, mode, &config, None).unwrap();
        assert!(fine_tune(&twice, mode, &config, Some(17)).is_none());
        let again = fine_tune(&twice, mode, &config, None).unwrap();
        assert_eq!(weights::collect(&whole), weights::collect(&again), "{}", mode.name());
        assert!(loss(&whole) < 0.95 * loss(&network()), "{} learns nothing", mode.name());
        let kept = weights::from_safetensors(&once.read("model.safetensors").unwrap(), "format").unwrap().0;
        assert_eq!(kept, weights::collect(&whole), "the file holds the whole network");
    }
}

#[test]
fn a_probe_sees_the_features_of_its_network() {
    let (data, device) = (rows(), Device::flex());
    let places = Places::new(&network(), FEATURES, &device);
    assert_eq!((places.head(), places.get("fc1.bias").unwrap().depth), ("fc3", 2));
    let features = LinearProbe::features(&network(), &data, &device);
    assert_eq!((features.train.input_len(), features.train.targets()), (6, data.train.targets()));
    // The last layer on features answers as the network on inputs.
    let linear: Architecture = serde_json::from_value(json!({"name": "mlp", "hidden": []})).unwrap();
    let input = InputShape::Features { count: 6 };
    let layer = linear.init(input, 3, &mut ChaCha8Rng::seed_from_u64(9), &device).unwrap();
    let layer = weights::assign(layer, &LinearProbe::layer(&weights::collect(&network()), &places)).unwrap();
    let config = settings(1, "sgd");
    let loss = |network: &Network, data: &Dataset| {
        evaluate(network, &data.train, config.loss.loss(), &data.format.task, &device).loss
    };
    assert!((loss(&layer, &features) - loss(&network(), &data)).abs() < 1e-6);
}

#[test]
fn layers_that_do_not_exist_are_named() {
    let places = Places::new(&network(), FEATURES, &Device::flex());
    let problem = |layers: &[&str]| {
        let layers = layers.iter().map(ToString::to_string).collect();
        Mode::Layers(Layers { layers }).way().check(&places).unwrap_err()
    };
    assert_eq!(problem(&["fc"]), "there is no layer `fc`; there are: fc1, fc2, fc3");
    assert_eq!(problem(&[]), "`layers` names those to train, of: fc1, fc2, fc3");
}
