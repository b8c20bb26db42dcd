//! Training with a guarantee, through the trainer: what a step is, what is paid, and that a crash costs nothing.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use crucible_data::{Column, Dataset, Examples, Format, InputFormat, Inputs, Targets, Task, seed};
use crucible_models::{
    Architecture, InputShape, Network,
    weights::{self, State},
};
use crucible_privacy::{
    ACCOUNTANT, DpSgd, Ledger, Phase, Plan, PrivacyError,
    accountants::{Accountant, pld},
};
use crucible_train::{
    Event, Job, Ordinary, Outcome, PlainLoss, RunFolder, StopReason, TrainConfig, TrainError, UpdateRule,
    train,
};
use rand::RngExt;
use serde_json::{Value, json};
use tempfile::TempDir;

const FEATURES: usize = 6;
const CLASSES: usize = 3;

/// Three clusters.
fn data(count: usize) -> Dataset {
    let mut rng = seed::stream(5, "examples", 0);
    let classes: Vec<u32> = (0..count as u32).map(|i| i % CLASSES as u32).collect();
    let values = classes.iter().flat_map(|class| {
        let mut draw = |feature: usize| f32::from(feature == *class as usize) + rng.random_range(-0.5..0.5);
        (0..FEATURES).map(&mut draw).collect::<Vec<f32>>()
    });
    let train = Examples::new(vec![FEATURES], Inputs::Floats(values.collect()), Targets::Classes(classes));
    let column = |i| Column::Numeric { name: format!("x{i}"), mean: 0.0, std: 1.0, fill: 0.0 };
    let columns = (0..FEATURES).map(column).collect();
    let input = InputFormat::Table { columns, missing: Vec::new(), delimiter: ',' };
    let task = Task::Classification { classes: (0..CLASSES).map(|class| class.to_string()).collect() };
    Dataset { name: "table".to_owned(), format: Format { input, task }, train, validation: None, test: None }
}

fn network(model: &Value) -> Network {
    let architecture: Architecture = serde_json::from_value(model.clone()).unwrap();
    let shape = InputShape::Features { count: FEATURES };
    architecture.init(shape, CLASSES, &mut seed::stream(1, "weights", 0), &Device::flex()).unwrap()
}

fn mlp() -> Network {
    network(&json!({"name": "mlp", "hidden": [8]}))
}

fn config(value: Value) -> TrainConfig {
    serde_json::from_value(value).unwrap()
}

fn plan(config: &TrainConfig, data: &Dataset) -> Plan {
    let examples = data.train.len();
    let steps = config.epochs * examples.div_ceil(config.batch_size) as u64;
    Plan { examples, batch: config.batch_size, steps }
}

fn rule(config: &TrainConfig, data: &Dataset) -> DpSgd {
    DpSgd::new(config.privacy.as_ref().unwrap(), &mlp(), plan(config, data)).unwrap()
}

struct Run {
    folder: RunFolder,
    _parent: TempDir,
}

impl Run {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        Self { folder: RunFolder::create(&parent.path().join("run"), "").unwrap(), _parent: parent }
    }

    fn train_with(
        &self,
        rule: &mut dyn UpdateRule,
        config: &TrainConfig,
        data: &Dataset,
        stop_after: Option<u64>,
    ) -> Result<Outcome, TrainError> {
        let stop = AtomicBool::new(false);
        let device = Device::flex();
        let (folder, clock) = (&self.folder, &|| 0.0);
        let job =
            Job { network: mlp(), data, config, rule, seed: 3, device: &device, folder, stop: &stop, clock };
        train(job, &mut |event| {
            if let Event::Step { step, .. } = event
                && Some(step) == stop_after
            {
                stop.store(true, Ordering::Relaxed);
            }
        })
    }

    fn train(&self, config: &TrainConfig, data: &Dataset) -> Outcome {
        self.train_with(&mut rule(config, data), config, data, None).unwrap()
    }

    fn ledger(&self) -> Ledger {
        Ledger::read(&self.folder).unwrap().unwrap()
    }
}

fn weights_of(outcome: &Outcome) -> State {
    weights::collect(&outcome.network)
}

fn far(a: &State, b: &State) -> f64 {
    let pairs = a.iter().zip(b).flat_map(|((_, a), (_, b))| a.values.iter().zip(&b.values));
    pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
}

#[test]
fn with_next_to_no_noise_and_all_examples_it_is_gradient_descent() {
    let data = data(60);
    let table = |privacy: Value| {
        let mut table =
            json!({"epochs": 20, "batch_size": 16, "optimizer": {"name": "gradient-descent", "lr": 0.5}});
        if !privacy.is_null() {
            table["privacy"] = privacy;
        }
        config(table)
    };
    let plain = table(Value::Null);
    let plain = Run::new().train_with(&mut Ordinary::new(PlainLoss), &plain, &data, None).unwrap();
    for physical in [7, 60, 256] {
        let private = table(json!({
            "noise": 1e-12, "delta": 1e-5, "clip": 1e6, "seeded": true, "physical_batch_size": physical
        }));
        let settings = private.privacy.as_ref().unwrap();
        let plan = Plan { examples: 60, batch: 60, steps: 20 };
        let mut rule = DpSgd::new(settings, &mlp(), plan).unwrap();
        let outcome = Run::new().train_with(&mut rule, &private, &data, None).unwrap();
        let error = far(&weights_of(&outcome), &weights_of(&plain));
        assert!(error < 2e-6, "parts of {physical}: {error}");
        let loss = |outcome: &Outcome| outcome.epochs[19].loss;
        assert!((loss(&outcome) - loss(&plain)).abs() < 1e-6);
    }
}

/// The change of the weights by one step at a learning rate of 1 over a batch that is expected to have 20 examples.
fn change(noise: f64, clip: f64, examples: usize, seed: u64) -> Vec<f64> {
    let data = data(examples);
    let table = config(json!({
        "epochs": 1, "batch_size": examples, "optimizer": {"name": "sgd", "lr": 1.0},
        "privacy": {"noise": noise, "delta": 1e-5, "clip": clip, "seeded": true}
    }));
    let plan = Plan { examples, batch: 20, steps: 1 };
    let mut rule = DpSgd::new(table.privacy.as_ref().unwrap(), &mlp(), plan).unwrap();
    let run = Run::new();
    let (stop, device) = (AtomicBool::new(false), Device::flex());
    let job = Job {
        network: mlp(),
        data: &data,
        config: &table,
        rule: &mut rule,
        seed,
        device: &device,
        folder: &run.folder,
        stop: &stop,
        clock: &|| 0.0,
    };
    let after = weights::collect(&train(job, &mut |_| ()).unwrap().network);
    let before = weights::collect(&mlp());
    let pairs = after.values().zip(before.values()).flat_map(|(a, b)| a.values.iter().zip(&b.values));
    pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)).collect()
}

#[test]
fn noise_has_the_deviation_of_the_formula_whatever_was_sampled() {
    // The gradients' sum, of at most 40 vectors 1e-3 long, is nothing beside noise of σC = 2; divided by 20.
    let deviation = 2000.0 * 1e-3 / 20.0;
    let mut values = Vec::new();
    for seed in 0..200 {
        values.extend(change(2000.0, 1e-3, 40, seed));
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    // Chi-square with that many degrees of freedom: its standard deviation is √(2n).
    let chi_square = values.iter().map(|value| (value / deviation).powi(2)).sum::<f64>();
    assert!((chi_square - count).abs() < 4.0 * (2.0 * count).sqrt(), "χ² = {chi_square} of {count}");
    assert!(mean.abs() < 4.0 * deviation / count.sqrt(), "mean {mean}");
    assert!(values.iter().any(|value| value.abs() > 2.5 * deviation));
}

#[test]
fn a_step_without_examples_is_noise_all_the_same() {
    // A rate of 20 in 40,000,000 of one example: the sample is empty.
    let data = data(1);
    let table = config(json!({
        "epochs": 1, "batch_size": 1, "optimizer": {"name": "sgd", "lr": 1.0},
        "privacy": {"noise": 1.0, "delta": 1e-5, "clip": 1.0, "seeded": true}
    }));
    let plan = Plan { examples: 1_000_000, batch: 1, steps: 1 };
    let mut rule = DpSgd::new(table.privacy.as_ref().unwrap(), &mlp(), plan).unwrap();
    let run = Run::new();
    let outcome = run.train_with(&mut rule, &table, &data, None).unwrap();
    assert_eq!(outcome.epochs[0].loss, 0.0, "no example, no loss");
    let moved = far(&weights_of(&outcome), &weights::collect(&mlp()));
    assert!(moved > 1.0, "divided by an expected 1e-6 examples: {moved}");
    assert_eq!(run.ledger().steps(), 1);
}

fn trained() -> (TrainConfig, Dataset) {
    let table = config(json!({
        "epochs": 6, "batch_size": 10, "optimizer": {"name": "adam", "lr": 0.01},
        "checkpoint": {"every_steps": 4},
        "privacy": {"epsilon": 2.0, "delta": 1e-3, "clip": 1.0}
    }));
    (table, data(100))
}

#[test]
fn the_noise_is_found_such_that_the_budget_is_kept() {
    let (config, data) = trained();
    let run = Run::new();
    let outcome = run.train(&config, &data);
    assert_eq!((outcome.reason, outcome.steps), (StopReason::Completed, 60));
    let ledger = run.ledger();
    assert!(ledger.is_private());
    assert_eq!((ledger.steps(), ledger.entries.len()), (60, 1));
    let spent = pld(&ledger.phases().unwrap(), 1e-3).unwrap();
    assert!(spent.upper <= 2.0 && spent.upper > 1.95, "{}", spent.upper);
    assert!(!run.folder.has("privacy/key.json"), "the key goes when training ends");
}

#[test]
fn training_ends_before_a_given_noise_costs_too_much() {
    let (mut config, data) = trained();
    config.privacy.as_mut().unwrap().noise = Some(0.8);
    let run = Run::new();
    let outcome = run.train(&config, &data);
    assert_eq!(outcome.reason, StopReason::BudgetSpent);
    let phase = |steps| Phase::new(0.8, 0.1, steps).unwrap();
    let epsilon = |steps| Accountant::Pld.epsilon(&[phase(steps)], 1e-3).unwrap();
    assert!(outcome.steps > 0 && outcome.steps < 60, "{}", outcome.steps);
    assert!(epsilon(outcome.steps) <= 2.0 && epsilon(outcome.steps + 1) > 2.0, "{} steps", outcome.steps);
    assert_eq!(run.ledger().steps(), outcome.steps);
    // It is over: going on changes nothing.
    let again = run.train(&config, &data);
    assert_eq!((again.reason, again.steps), (StopReason::BudgetSpent, outcome.steps));
    assert_eq!(weights_of(&again), weights_of(&outcome));
}

#[test]
fn a_run_that_was_stopped_goes_on_with_its_key_and_pays_once() {
    let (config, data) = trained();
    let run = Run::new();
    let stopped = run.train_with(&mut rule(&config, &data), &config, &data, Some(23)).unwrap();
    assert_eq!(stopped.reason, StopReason::Interrupted);
    let key = run.folder.read("privacy/key.json").unwrap();
    let paid = run.ledger();
    assert!(paid.steps() >= 23, "paid before it was taken: {}", paid.steps());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(run.folder.path("privacy/key.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    // What a crash leaves: an older checkpoint, a ledger that is ahead. From there to the same weights.
    let copy = Run::new();
    for name in ["privacy/key.json", "privacy/ledger.json", "checkpoints/last.safetensors", "metrics.jsonl"] {
        copy.folder.write(name, &run.folder.read(name).unwrap()).unwrap();
    }
    let events = "events.out.tfevents.crucible";
    copy.folder.write(events, &run.folder.read(events).unwrap()).unwrap();
    run.train_with(&mut rule(&config, &data), &config, &data, Some(41)).unwrap();
    copy.folder.write("privacy/ledger.json", &run.folder.read("privacy/ledger.json").unwrap()).unwrap();
    assert_eq!(run.folder.read("privacy/key.json").unwrap(), key);
    let (one, two) = (run.train(&config, &data), copy.train(&config, &data));
    assert_eq!(weights_of(&one), weights_of(&two), "the same key, the same steps");
    for run in [run, copy] {
        assert_eq!((run.ledger().steps(), run.ledger().entries.len()), (60, 1), "paid once");
    }
}

#[test]
fn a_run_that_lost_its_key_pays_again_and_keeps_its_budget() {
    let (config, data) = trained();
    let run = Run::new();
    run.train_with(&mut rule(&config, &data), &config, &data, Some(23)).unwrap();
    let paid = run.ledger().steps();
    run.folder.remove("privacy/key.json").unwrap();
    let outcome = run.train(&config, &data);
    let ledger = run.ledger();
    assert_eq!(ledger.entries.len(), 2);
    assert_eq!(ledger.entries[0].last, paid);
    assert_eq!(ledger.entries[1].first, 24);
    let spent = ACCOUNTANT.epsilon(&ledger.phases().unwrap(), 1e-3).unwrap();
    assert!(spent <= 2.0, "{spent}");
    if paid > 23 {
        assert_eq!(outcome.reason, StopReason::BudgetSpent, "what was lost is missing in the end");
    }
}

#[test]
fn secret_draws_differ_and_seeded_ones_do_not() {
    let (config, data) = trained();
    let secret = [0, 1].map(|_| weights_of(&Run::new().train(&config, &data)));
    assert_ne!(secret[0], secret[1]);
    let mut seeded = config;
    seeded.privacy.as_mut().unwrap().seeded = true;
    let runs = [0, 1].map(|_| Run::new());
    let [one, two] = [0, 1].map(|i| weights_of(&runs[i].train(&seeded, &data)));
    assert_eq!(one, two);
    assert!(!runs[0].ledger().is_private());
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let settings = json!({"epsilon": -1.0, "noise": 0.0, "delta": 1.5, "clip": 0.0});
    let settings = serde_json::from_value(settings).unwrap();
    let network = network(&json!({"name": "mlp", "hidden": [8], "batch_norm": true}));
    let problems = DpSgd::new(&settings, &network, Plan { examples: 10, batch: 2, steps: 5 }).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key).collect();
    let privacy = |key| format!("train.privacy.{key}");
    assert_eq!(
        keys,
        [privacy("epsilon"), privacy("noise"), privacy("delta"), privacy("clip"), "model".to_owned()]
    );
    let text = problems[4].error.to_string();
    assert!(text.contains("BatchNorm") && text.contains("layer norm"), "{text}");
    let nothing = serde_json::from_value(json!({"delta": 1e-5})).unwrap();
    let problems = DpSgd::new(&nothing, &mlp(), Plan { examples: 10, batch: 2, steps: 5 }).unwrap_err();
    assert_eq!(problems[0].error, PrivacyError::NoBudget);
}

#[test]
fn a_guarantee_that_no_rule_keeps_is_refused() {
    let (config, data) = trained();
    let error = Run::new().train_with(&mut Ordinary::new(PlainLoss), &config, &data, None).unwrap_err();
    assert!(error.to_string().contains("keeps none"), "{error}");
    let mut plain = config.clone();
    plain.privacy = None;
    let error = Run::new().train_with(&mut rule(&config, &data), &plain, &data, None).unwrap_err();
    assert!(error.to_string().contains("not set"), "{error}");
}

#[test]
fn a_gradient_that_is_not_finite_names_its_example() {
    let (config, mut data) = trained();
    let Inputs::Floats(values) = data.train.inputs() else { panic!("floats") };
    let mut values = values.clone();
    values[5] = f32::NAN;
    let classes = data.train.classes().unwrap().to_vec();
    data.train = Examples::new(vec![FEATURES], Inputs::Floats(values), Targets::Classes(classes));
    let error = Run::new().train_with(&mut rule(&config, &data), &config, &data, None).unwrap_err();
    assert!(matches!(error, TrainError::Rule { .. }), "{error}");
    assert!(error.to_string().contains("not finite"), "{error}");
}
