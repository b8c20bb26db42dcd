//! Pruned weights stay zero whatever trains them, and removed channels were worth nothing.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{Device, Tensor, TensorData};
use crucible_compress::{
    CompressError,
    pruning::{Magnitude, Masked, Norm, Structured, apply, masks, masks_of_zeros, shrink},
};
use crucible_data::{Dataset, Examples, Format, InputFormat, Inputs, Targets, Task};
use crucible_models::{
    Architecture, Graph, InputShape, Network, NoTap, Tapped,
    weights::{self, State},
};
use crucible_train::{Event, Job, Ordinary, PlainLoss, RunFolder, StopReason, TrainConfig, Wrapped, train};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};

/// The least that LeNet-5 reads.
const SIDE: usize = 12;
const PICTURE: InputShape = InputShape::Image { channels: 1, height: SIDE, width: SIDE };

fn network(architecture: &Architecture, seed: u64) -> Network {
    architecture.init(PICTURE, 3, &mut ChaCha8Rng::seed_from_u64(seed), &Device::flex()).unwrap()
}

fn graph(network: &Network) -> Graph {
    Graph::trace(network, SIDE * SIDE, &Device::flex()).unwrap()
}

fn convnet() -> Architecture {
    let conv = json!([{"channels": 6, "kernel": 3, "pool": 2}, {"channels": 8, "kernel": 2}]);
    serde_json::from_value(json!({"name": "convnet", "conv": conv, "hidden": [12]})).unwrap()
}

/// Pictures of three classes that differ in one row.
fn pictures() -> Dataset {
    let labels: Vec<u32> = (0..60).map(|i| i % 3).collect();
    let pixel = |label: u32, at: usize| if at / SIDE == label as usize { 1.0 } else { (at % 7) as f32 / 9.0 };
    let values = labels.iter().flat_map(|label| (0..SIDE * SIDE).map(move |at| pixel(*label, at))).collect();
    let train = Examples::new(vec![1, SIDE, SIDE], Inputs::Floats(values), Targets::Classes(labels));
    let input =
        InputFormat::Image { channels: 1, height: SIDE, width: SIDE, mean: vec![0.0], std: vec![1.0] };
    let task = Task::Classification { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    Dataset { name: "rows".to_owned(), format: Format { input, task }, train, validation: None, test: None }
}

/// A pruned network and its weights.
fn pruned() -> (Network, State) {
    let network = network(&convnet(), 1);
    let mut state = weights::collect(&network);
    apply(&masks(&graph(&network), &state, &Magnitude::default(), 0.7).unwrap(), &mut state);
    (weights::assign(network, &state).unwrap(), state)
}

/// Trains from `state`, stopping after `stop_at` steps if that is any; the weights, if training ended.
fn retrain(folder: &RunFolder, config: &TrainConfig, stop_at: Option<u64>) -> Option<State> {
    let (network, state) = pruned();
    let (device, data, stop) = (Device::flex(), pictures(), AtomicBool::new(false));
    let masks = masks_of_zeros(&graph(&network), &state);
    let rule = &mut Wrapped::new(Box::new(Ordinary::new(PlainLoss)), Masked::new(&masks, &device));
    let job = Job {
        network,
        data: &data,
        config,
        rule,
        seed: 3,
        device: &device,
        folder,
        stop: &stop,
        clock: &|| 0.0,
    };
    let outcome = train(job, &mut |event| {
        if let Event::Step { step, .. } = event
            && Some(step) == stop_at
        {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let outcome = outcome.unwrap();
    (outcome.reason != StopReason::Interrupted).then(|| weights::collect(&outcome.network))
}

fn assert_zeros_stay(before: &State, after: &State, what: &Json) {
    let mut moved = 0;
    for (name, tensor) in before {
        for (before, after) in tensor.values.iter().zip(&after[name].values) {
            assert!(*before != 0.0 || *after == 0.0 || name.ends_with("bias"), "{what}: {name} {after}");
            moved += usize::from(before != after);
        }
    }
    assert!(moved > 20, "{what}: training did nothing");
}

#[test]
fn every_optimizer_leaves_pruned_weights_at_zero() {
    let before = pruned().1;
    let (decay, lr) = (0.01, 0.01);
    let optimizers = [
        json!({"name": "gradient-descent", "lr": lr}),
        json!({"name": "sgd", "lr": lr, "momentum": 0.9, "weight_decay": decay}),
        json!({"name": "sgd", "lr": lr, "momentum": 0.9, "nesterov": true}),
        json!({"name": "adam", "lr": lr, "weight_decay": decay}),
        json!({"name": "adamw", "lr": lr, "weight_decay": decay}),
        json!({"name": "rmsprop", "lr": lr}),
        json!({"name": "adagrad", "lr": lr}),
        json!({"name": "lion", "lr": lr}),
        json!({"name": "muon", "lr": lr}),
    ];
    for optimizer in optimizers {
        for ema in [Json::Null, json!(0.9)] {
            let what = json!({"epochs": 2, "batch_size": 8, "optimizer": optimizer, "ema": ema, "clip_norm": 1.0,
                "regularization": {"l1": 1e-4, "max_norm": 1.0}});
            let config: TrainConfig = serde_json::from_value(what.clone()).unwrap();
            let parent = tempfile::tempdir().unwrap();
            let folder = RunFolder::create(&parent.path().join("run"), "").unwrap();
            assert_zeros_stay(&before, &retrain(&folder, &config, None).unwrap(), &what);
        }
    }
}

#[test]
fn a_stopped_retraining_goes_on_to_the_same_bytes() {
    let what = json!({"epochs": 3, "batch_size": 8, "optimizer": {"name": "adam", "lr": 0.01}, "ema": 0.9});
    let config: TrainConfig = serde_json::from_value(what.clone()).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let [whole, parts] =
        ["whole", "parts"].map(|name| RunFolder::create(&parent.path().join(name), "").unwrap());
    let expected = retrain(&whole, &config, None).unwrap();
    assert_eq!(retrain(&parts, &config, Some(5)), None);
    assert_eq!(retrain(&parts, &config, Some(13)), None);
    assert_eq!(retrain(&parts, &config, None).unwrap(), expected);
    assert_zeros_stay(&pruned().1, &expected, &what);
}

fn outputs(network: &Network) -> Vec<f32> {
    let values: Vec<f32> = (0..5 * SIDE * SIDE).map(|i| ((i * 31) % 17) as f32 / 8.0 - 1.0).collect();
    let input = Tensor::<2>::from_data(TensorData::new(values, [5, SIDE * SIDE]), &Device::flex());
    network.forward(input, &mut NoTap).into_data().try_to_vec::<f32>().unwrap()
}

#[test]
fn channels_of_zeros_are_removed_and_nothing_changes() {
    let architectures = [
        (json!({"name": "mlp", "hidden": [10, 6]}), [("fc1", 10), ("fc2", 6)].as_slice()),
        (json!({"name": "mlp", "hidden": [10, 6], "batch_norm": true}), &[("fc1", 10), ("fc2", 6)]),
        (json!({"name": "cnn", "dropout": 0.1}), &[("conv1", 32), ("conv2", 64), ("fc1", 128)]),
        (json!({"name": "lenet5"}), &[("conv1", 6), ("conv2", 16), ("fc1", 120), ("fc2", 84)]),
        (serde_json::to_value(convnet()).unwrap(), &[("conv1", 6), ("conv2", 8), ("fc1", 12)]),
    ];
    for (json, layers) in architectures {
        let architecture: Architecture = serde_json::from_value(json.clone()).unwrap();
        let network = network(&architecture, 2);
        let mut state = weights::collect(&network);
        for (layer, channels) in layers {
            // Every other one, with its bias.
            for name in [format!("{layer}.weight"), format!("{layer}.bias")] {
                let values = &mut state.get_mut(&name).unwrap().values;
                let inputs = values.len() / channels;
                values.chunks_mut(2 * inputs).for_each(|pair| pair[..inputs].fill(0.0));
            }
        }
        let network = weights::assign(network, &state).unwrap();
        let before = outputs(&network);
        for norm in [Norm::L1, Norm::L2] {
            let small = shrink(&architecture, &graph(&network), &state, &Structured { norm }, 0.5).unwrap();
            for (layer, channels) in layers {
                assert_eq!(small.state[&format!("{layer}.weight")].shape[0], channels / 2, "{json}");
            }
            let small = weights::assign(self::network(&small.architecture, 3), &small.state).unwrap();
            for (before, after) in before.iter().zip(outputs(&small)) {
                assert!((before - after).abs() < 1e-5, "{json}: {before} {after}");
            }
        }
    }
}

#[test]
fn what_cannot_be_pruned_is_said() {
    let (network, state) = pruned();
    for share in [0.0, 1.0, -0.1, f64::NAN] {
        let error = masks(&graph(&network), &state, &Magnitude::default(), share).unwrap_err();
        assert!(matches!(error, CompressError::Share(_)), "{share}");
    }
    let transformer = json!({"name": "transformer", "width": 8, "heads": 2, "layers": 1, "feedforward": 8});
    let transformer: Architecture = serde_json::from_value(transformer).unwrap();
    let network = self::network(&transformer, 1);
    let (graph, state) = (graph(&network), weights::collect(&network));
    let error = shrink(&transformer, &graph, &state, &Structured::default(), 0.5).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("no channels can be removed: what is added to each other in `transformer`"),
        "{error}"
    );
}
