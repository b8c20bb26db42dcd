//! Every optimizer, what is done to gradients and weights beside it, and every schedule, against PyTorch 2:
//! `golden/optimizers.py` wrote `golden/optimizers.json`.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod common;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::{Dataset, Targets};
use crucible_models::{Network, NoTap, Tapped, weights};
use crucible_train::{
    TrainConfig, Updater,
    losses::{LossConfig, encode_targets},
    optimizers::OptimizerConfig,
    schedules::{Position, ScheduleConfig},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Both sides compute in float32, whose steps near 1 are 6e-8, and add up in different orders. Within five steps of
/// size 0.01 to 0.3 that stays far below this, while a wrong constant (an epsilon inside the root, a bias correction
/// left out) moves some weight by more than 1e-4.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    inputs: Vec<f32>,
    labels: Vec<u32>,
    shapes: BTreeMap<String, Vec<usize>>,
    initial: Parameters,
    optimizers: Vec<OptimizerCase>,
    jobs: Vec<JobCase>,
    schedules: Vec<ScheduleCase>,
}

type Parameters = BTreeMap<String, Vec<f32>>;

#[derive(Deserialize)]
struct OptimizerCase {
    optimizer: Value,
    losses: Vec<f64>,
    steps: Vec<Parameters>,
}

#[derive(Deserialize)]
struct JobCase {
    name: String,
    train: Value,
    losses: Vec<f64>,
    steps: Vec<Parameters>,
}

#[derive(Deserialize)]
struct ScheduleCase {
    schedule: Value,
    by: String,
    #[serde(default)]
    steps: u64,
    #[serde(default)]
    losses: Vec<f64>,
    factors: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/optimizers.json")).unwrap()
}

impl Golden {
    fn data(&self) -> Dataset {
        let targets = Targets::Classes(self.labels.clone());
        common::table(common::rows(6, self.inputs.clone(), targets), None, common::classification(3))
    }

    /// The 6-5-3 network with the golden initial weights.
    fn network(&self, data: &Dataset) -> Network {
        let architecture = json!({"name": "mlp", "hidden": [5], "activation": "tanh"});
        let network = common::network(&architecture, data, &TrainConfig::default());
        let tensor = |(name, values): (&String, &Vec<f32>)| {
            let shape = self.shapes[name].clone();
            (name.clone(), weights::HostTensor { shape, values: values.clone() })
        };
        weights::assign(network, &self.initial.iter().map(tensor).collect()).unwrap()
    }
}

/// The largest distance between a network's parameters and the golden ones.
fn distance(network: &Network, expected: &Parameters) -> f64 {
    let state = weights::collect(network);
    assert!(state.keys().eq(expected.keys()));
    let pairs = state.iter().flat_map(|(name, tensor)| tensor.values.iter().zip(&expected[name]));
    // A NaN must not be lost in the maximum.
    pairs
        .map(|(a, b)| f64::from(a - b).abs())
        .fold(0.0, |max, d| if d.is_nan() { f64::INFINITY } else { d.max(max) })
}

fn loss_and_gradients(network: &Network, data: &Dataset) -> (f64, GradientsParams) {
    let device = Device::flex().autodiff();
    let loss = LossConfig::default();
    let indices: Vec<u32> = (0..data.train.len() as u32).collect();
    let mut inputs = Vec::new();
    data.train.gather(&indices, &mut inputs);
    let shape = [indices.len(), data.train.input_len()];
    let targets = encode_targets(loss.loss(), &data.train, &indices, 3);
    let targets = Tensor::from_data(TensorData::new(targets, [indices.len(), 3]), &device);
    let outputs = network.forward(Tensor::from_data(TensorData::new(inputs, shape), &device), &mut NoTap);
    let value = loss.loss().forward(outputs, targets);
    let gradients = GradientsParams::from_grads(value.backward(), network);
    (f64::from(value.into_scalar::<f32>()), gradients)
}

#[test]
fn five_steps_of_each_optimizer_are_those_of_pytorch() {
    let golden = golden();
    let data = golden.data();
    let mut names = Vec::new();
    for case in &golden.optimizers {
        let config: OptimizerConfig = serde_json::from_value(case.optimizer.clone()).unwrap();
        let optimizer = config.optimizer();
        let mut updater = Updater::new(optimizer);
        let mut network = golden.network(&data).train();
        let mut largest: f64 = 0.0;
        for (step, (expected, loss)) in case.steps.iter().zip(&case.losses).enumerate() {
            let (actual, gradients) = loss_and_gradients(&network, &data);
            assert!((actual - loss).abs() < TOLERANCE, "{}: loss {actual}, not {loss}", case.optimizer);
            network = updater.step(network, gradients, &|_| optimizer.lr());
            let distance = distance(&network.valid(), expected);
            assert!(distance < TOLERANCE, "{}: off by {distance:e} after step {}", case.optimizer, step + 1);
            largest = largest.max(distance);
        }
        println!("{largest:.1e}  {}", case.optimizer);
        names.push(case.optimizer["name"].as_str().unwrap().to_owned());
    }
    names.dedup();
    let schema = serde_json::to_value(schemars::schema_for!(OptimizerConfig)).unwrap();
    let all: Vec<&str> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| variant["properties"]["name"]["const"].as_str().unwrap())
        .collect();
    assert_eq!(names, all, "an optimizer has no golden values");
}

/// The constructors' defaults of PyTorch 2.15, where the rule has a default there and no other one is documented here.
#[test]
fn defaults_are_those_of_pytorch() {
    let defaults = [
        json!({"name": "adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0,
               "amsgrad": false}),
        json!({"name": "adamw", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01,
               "amsgrad": false}),
        json!({"name": "rmsprop", "lr": 0.01, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": false,
               "weight_decay": 0.0}),
        json!({"name": "adagrad", "lr": 0.01, "lr_decay": 0.0, "eps": 1e-10, "weight_decay": 0.0}),
    ];
    for expected in defaults {
        let config: OptimizerConfig = serde_json::from_value(json!({"name": expected["name"]})).unwrap();
        assert_eq!(serde_json::to_value(config).unwrap(), expected);
    }
}

/// The same steps by `train`, which only shows its last weights: as many jobs as steps.
#[test]
fn clipping_penalties_averaging_and_smoothing_are_those_of_pytorch() {
    let golden = golden();
    let data = golden.data();
    for case in &golden.jobs {
        let mut largest: f64 = 0.0;
        for (epochs, expected) in (1..).zip(&case.steps) {
            let mut train =
                json!({"epochs": epochs, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.3}});
            train.as_object_mut().unwrap().extend(case.train.as_object().unwrap().clone());
            let run = common::Run::new();
            let outcome = run.train(golden.network(&data), &data, &common::config(train)).unwrap();
            let distance = distance(&outcome.network, expected);
            assert!(distance < TOLERANCE, "{}: off by {distance:e} after step {epochs}", case.name);
            let loss = outcome.epochs.last().unwrap().loss;
            let expected = case.losses[epochs - 1];
            assert!((loss - expected).abs() < TOLERANCE, "{}: loss {loss}, not {expected}", case.name);
            largest = largest.max(distance);
        }
        println!("{largest:.1e}  {}", case.name);
    }
}

#[test]
fn schedules_are_those_of_pytorch() {
    for case in &golden().schedules {
        let config: ScheduleConfig = serde_json::from_value(case.schedule.clone()).unwrap();
        for (i, expected) in (0..).zip(&case.factors) {
            let mut position = Position { step: 0, steps: case.steps, epoch: 0, losses: &[] };
            match case.by.as_str() {
                "step" => position.step = i,
                "epoch" => position.epoch = i,
                _ => position.losses = &case.losses[..i as usize],
            }
            let actual = config.schedule().factor(position);
            // Both in float64; PyTorch's cosine is a recurrence.
            assert!((actual - expected).abs() < 1e-12, "{} at {i}: {actual}, not {expected}", case.schedule);
        }
    }
}

/// Where the way up ends at the very first step, PyTorch divides by zero.
#[test]
fn schedules_stay_within_their_bounds_for_jobs_of_any_length() {
    let schedules = [
        json!({"name": "constant"}),
        json!({"name": "cosine", "min_factor": 0.1}),
        json!({"name": "one-cycle", "rise": 0.1}),
        json!({"name": "one-cycle", "rise": 0.5}),
        json!({"name": "one-cycle", "rise": 0.25}),
        json!({"name": "one-cycle", "rise": 0.999}),
    ];
    for schedule in schedules {
        let config: ScheduleConfig = serde_json::from_value(schedule.clone()).unwrap();
        for steps in 1..=40 {
            for step in 0..steps {
                let position = Position { step, steps, epoch: 0, losses: &[] };
                let factor = config.schedule().factor(position);
                assert!(factor > 0.0 && factor <= 1.0 + 1e-12, "{schedule}: {factor} at {step} of {steps}");
            }
        }
    }
}
