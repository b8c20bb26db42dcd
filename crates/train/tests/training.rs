//! The laws of whole training jobs: they learn, they repeat, they resume, they end when told to, and they fail without
//! taking anything with them.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use common::{Run, classification, config, network, rows, table};
use crucible_data::{Dataset, Examples, Format, InputFormat, Inputs, Targets, Task, seed};
use crucible_models::weights;
use crucible_train::{Event, RunFolder, StopReason, TrainConfig, TrainError, evaluate, run_folder::name};
use rand::RngExt;
use serde_json::{Value, json};

/// `classes` clouds in four dimensions, far apart.
fn clouds(count: usize, classes: u32, stream: u64) -> Examples {
    let mut rng = seed::stream(3, "clouds", stream);
    let labels: Vec<u32> = (0..count as u32).map(|i| i % classes).collect();
    let values = labels.iter().flat_map(|&class| {
        let noise: [f32; 4] = std::array::from_fn(|_| rng.random_range(-0.6..0.6));
        let angle = class as f32 * 2.0;
        [angle.sin() + noise[0], angle.cos() + noise[1], (2.0 * angle).sin() + noise[2], noise[3]]
    });
    rows(4, values.collect(), Targets::Classes(labels.clone()))
}

fn cloud_data(count: usize, classes: u32) -> Dataset {
    table(clouds(count, classes, 0), Some(clouds(30, classes, 1)), classification(classes as usize))
}

/// `y = 2 x₀ - x₁ + x₀ x₁`, standardised enough.
fn surface(count: usize) -> Dataset {
    let split = |stream, count| {
        let mut rng = seed::stream(3, "surface", stream);
        let values: Vec<f32> = (0..2 * count).map(|_| rng.random_range(-1.0..1.0)).collect();
        let targets = values.chunks(2).map(|x| 2.0 * x[0] - x[1] + x[0] * x[1]).collect();
        rows(2, values, Targets::Values { values: targets, width: 1 })
    };
    let task = Task::Regression { targets: vec!["y".to_owned()], mean: vec![0.0], std: vec![1.0] };
    table(split(0, count), Some(split(1, 50)), task)
}

/// Pictures whose left or right half is bright.
fn pictures(count: usize, size: usize) -> Dataset {
    let split = |stream| {
        let mut rng = seed::stream(3, "pictures", stream);
        let labels: Vec<u32> = (0..count as u32).map(|i| i % 2).collect();
        let mut values = Vec::new();
        for &label in &labels {
            for at in 0..size * size {
                let bright = u32::from(at % size >= size / 2) == label;
                values.push(rng.random_range(0..100) + if bright { 120 } else { 0 });
            }
        }
        let inputs = Inputs::Bytes { values, scale: vec![1.0 / 255.0], offset: vec![-0.5] };
        Examples::new(vec![1, size, size], inputs, Targets::Classes(labels))
    };
    let (mean, std) = (vec![0.5], vec![1.0]);
    let input = InputFormat::Image { channels: 1, height: size, width: size, mean, std };
    let format = Format { input, task: classification(2) };
    Dataset { name: "pictures".to_owned(), format, train: split(0), validation: Some(split(1)), test: None }
}

/// Every file of a run but the recipe.
fn files(folder: &RunFolder) -> BTreeMap<&'static str, Vec<u8>> {
    let names = [name::MODEL, name::METRICS, name::EVENTS, name::LAST, name::BEST];
    names.into_iter().filter(|name| folder.has(name)).map(|name| (name, folder.read(name).unwrap())).collect()
}

/// Sets the flag to stop once `at` steps were taken.
fn stop_after(at: u64) -> impl Fn(&Event<'_>, &AtomicBool) {
    move |event, stop| {
        if matches!(event, Event::Step { step, .. } if *step == at) {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

/// The epochs in the log.
fn epochs(folder: &RunFolder) -> Vec<Value> {
    let text = String::from_utf8(folder.read(name::METRICS).unwrap()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.into_iter().filter(|line| line["event"] == "epoch").collect()
}

// ---------------------------------------------------------------------------------------------------------------------
// Learning
// ---------------------------------------------------------------------------------------------------------------------

/// The job's outcome, held to have made the validation loss fall by `share` or more.
#[track_caller]
fn learns(architecture: Value, data: &Dataset, train: Value, share: f64) -> (Run, crucible_train::Outcome) {
    let config = config(train);
    let run = Run::new();
    let outcome = run.train(network(&architecture, data, &config), data, &config).unwrap();
    let before = network(&architecture, data, &config);
    let measure = |network: &crucible_models::Network| {
        let examples = data.validation.as_ref().unwrap();
        evaluate(network, examples, config.loss.loss(), &data.format.task, &Device::flex())
    };
    let (before, after) = (measure(&before), measure(&outcome.network));
    assert!(after.loss < share * before.loss, "{} to {}", before.loss, after.loss);
    let last = outcome.epochs.last().unwrap();
    assert_eq!((last.validation_loss, last.validation_accuracy), (Some(after.loss), after.accuracy));
    assert_eq!(outcome.reason, StopReason::Completed);
    let kept = weights::from_safetensors(&run.folder.read(name::MODEL).unwrap(), "format").unwrap();
    assert_eq!(kept, (weights::collect(&outcome.network), Some("pt".to_owned())));
    (run, outcome)
}

#[test]
fn an_mlp_with_everything_learns_classes() {
    let (_, outcome) = learns(
        json!({"name": "mlp", "hidden": [16, 8], "dropout": 0.1, "batch_norm": true}),
        &cloud_data(120, 3),
        json!({
            "epochs": 15, "batch_size": 16, "ema": 0.9, "clip_norm": 1.0, "warmup_steps": 4,
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}, "schedule": {"name": "cosine"},
            "regularization": {"l1": 1e-4, "max_norm": 4.0},
        }),
        0.3,
    );
    assert!(outcome.epochs.last().unwrap().validation_accuracy.unwrap() > 0.95);
    assert!(outcome.epochs.last().unwrap().loss < 0.5 * outcome.epochs[0].loss);
    assert_eq!(outcome.steps, 15 * 8);
}

#[test]
fn an_mlp_learns_numbers_with_either_squared_error() {
    for loss in ["mse", "half-mse"] {
        let (_, outcome) = learns(
            json!({"name": "mlp", "hidden": [16], "activation": "tanh"}),
            &surface(200),
            json!({
                "epochs": 40, "batch_size": 20, "loss": {"name": loss},
                "optimizer": {"name": "adam", "lr": 0.02},
            }),
            0.05,
        );
        assert_eq!(outcome.epochs.last().unwrap().validation_accuracy, None);
    }
}

#[test]
fn every_loss_learns_two_classes() {
    for loss in ["cross-entropy", "binary-cross-entropy", "mse", "half-mse"] {
        let (_, outcome) = learns(
            json!({"name": "mlp", "hidden": [8]}),
            &cloud_data(80, 2),
            json!({
                "epochs": 15, "batch_size": 10, "loss": {"name": loss},
                "optimizer": {"name": "adamw", "lr": 0.01},
            }),
            0.6,
        );
        assert!(outcome.epochs.last().unwrap().validation_accuracy.unwrap() > 0.95, "{loss}");
    }
}

#[test]
fn convolutional_networks_learn_pictures() {
    for architecture in ["cnn", "lenet5"] {
        let (_, outcome) = learns(
            json!({"name": architecture}),
            &pictures(40, 12),
            json!({"epochs": 4, "batch_size": 8, "optimizer": {"name": "adam", "lr": 0.002}}),
            0.6,
        );
        assert!(outcome.epochs.last().unwrap().validation_accuracy.unwrap() > 0.95, "{architecture}");
    }
}

#[test]
fn max_norm_holds_for_every_unit() {
    let (_, outcome) = learns(
        json!({"name": "cnn"}),
        &pictures(24, 8),
        json!({
            "epochs": 3, "batch_size": 8, "optimizer": {"name": "adam", "lr": 0.002},
            "regularization": {"max_norm": 0.5},
        }),
        0.98,
    );
    let mut at_the_limit = 0;
    for (name, tensor) in weights::collect(&outcome.network) {
        if tensor.shape.len() < 2 {
            continue;
        }
        for unit in tensor.values.chunks(tensor.shape[1..].iter().product()) {
            let norm = unit.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt();
            assert!(norm < 0.5 + 1e-6, "{name}: {norm}");
            at_the_limit += usize::from(norm > 0.5 - 1e-6);
        }
    }
    assert!(at_the_limit > 0, "the limit never bit");
}

/// `lr · (step + 1) / (warmup + 1)` for the first steps; one step an epoch makes each visible.
#[test]
fn the_learning_rate_rises_and_follows_the_schedule() {
    let data = cloud_data(12, 3);
    let train = json!({
        "epochs": 6, "batch_size": 12, "warmup_steps": 3, "optimizer": {"name": "sgd", "lr": 0.8},
        "schedule": {"name": "exponential", "factor": 0.5},
    });
    let config = config(train);
    let run = Run::new();
    let outcome =
        run.train(network(&json!({"name": "mlp", "hidden": []}), &data, &config), &data, &config).unwrap();
    let rates: Vec<f64> = outcome.epochs.iter().map(|epoch| epoch.lr).collect();
    let expected = [0.8 * 0.25, 0.8 * 0.5 * 0.5, 0.8 * 0.75 * 0.25, 0.8 * 0.125, 0.8 * 0.0625, 0.8 * 0.03125];
    for (actual, expected) in rates.iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-15, "{rates:?}");
    }
}

#[test]
fn full_batch_descent_in_parts_is_one_big_batch() {
    let data = cloud_data(23, 3);
    let weights_with = |batch_size: usize| {
        let config = config(json!({
            "epochs": 8, "batch_size": batch_size,
            "optimizer": {"name": "gradient-descent", "lr": 0.5, "weight_decay": 0.01},
        }));
        let network = network(&json!({"name": "mlp", "hidden": [7], "activation": "tanh"}), &data, &config);
        let outcome = Run::new().train(network, &data, &config).unwrap();
        assert_eq!(outcome.steps, 8);
        (weights::collect(&outcome.network), outcome.epochs)
    };
    let (whole, records) = weights_with(23);
    for batch_size in [1, 5, 22, 1000] {
        let (parts, part_records) = weights_with(batch_size);
        let pairs = whole.iter().flat_map(|(name, tensor)| tensor.values.iter().zip(&parts[name].values));
        let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{largest:.1e}  parts of {batch_size}");
        assert!(largest < 1e-6, "{batch_size}: off by {largest:e}");
        for (a, b) in records.iter().zip(&part_records) {
            assert!((a.loss - b.loss).abs() < 1e-6);
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Repeating and resuming
// ---------------------------------------------------------------------------------------------------------------------

struct Case {
    architecture: Value,
    data: Dataset,
    config: TrainConfig,
}

impl Case {
    fn new(architecture: Value, data: Dataset, train: Value) -> Self {
        Self { architecture, data, config: config(train) }
    }

    fn network(&self) -> crucible_models::Network {
        network(&self.architecture, &self.data, &self.config)
    }

    /// What the job leaves behind when nothing happens to it, and its steps.
    fn undisturbed(&self) -> (BTreeMap<&'static str, Vec<u8>>, u64) {
        let run = Run::new();
        let outcome = run.train(self.network(), &self.data, &self.config).unwrap();
        (files(&run.folder), outcome.steps)
    }

    /// The same with a new process for every step.
    fn one_step_a_sitting(&self) -> BTreeMap<&'static str, Vec<u8>> {
        let run = Run::new();
        for sitting in 1.. {
            let watch = |event: &Event<'_>, stop: &AtomicBool| match event {
                Event::Start { step, .. } => assert_eq!(*step, sitting - 1),
                Event::Step { step, .. } => {
                    assert_eq!(*step, sitting);
                    stop.store(true, Ordering::Relaxed);
                }
                _ => {}
            };
            let outcome = run.train_watched(self.network(), &self.data, &self.config, watch).unwrap();
            if outcome.reason != StopReason::Interrupted {
                break;
            }
            assert!(!run.folder.has(name::MODEL), "the weights are there only when they are done");
        }
        files(&run.folder)
    }

    #[track_caller]
    fn holds(&self) {
        let (expected, _) = self.undisturbed();
        let actual = self.one_step_a_sitting();
        assert!(expected.keys().eq(actual.keys()));
        for (name, bytes) in &expected {
            assert!(*bytes == actual[name], "{}, {:?}: {name} differs", self.architecture, self.config);
        }
    }
}

fn optimizers() -> Vec<Value> {
    vec![
        json!({"name": "gradient-descent", "lr": 0.2}),
        json!({"name": "sgd", "lr": 0.1}),
        json!({"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": true, "weight_decay": 0.01}),
        json!({"name": "adam", "lr": 0.02, "weight_decay": 0.01}),
        json!({"name": "adam", "lr": 0.02, "amsgrad": true}),
        json!({"name": "adamw", "lr": 0.02}),
        json!({"name": "rmsprop", "lr": 0.01}),
        json!({"name": "rmsprop", "lr": 0.01, "centered": true, "momentum": 0.8}),
        json!({"name": "adagrad", "lr": 0.05, "lr_decay": 0.1}),
        json!({"name": "lion", "lr": 0.01}),
        json!({"name": "muon", "lr": 0.02}),
    ]
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for optimizer in optimizers() {
        let train = json!({"epochs": 2, "batch_size": 8, "optimizer": optimizer, "ema": 0.8});
        let architecture = json!({"name": "mlp", "hidden": [6], "dropout": 0.3, "batch_norm": true});
        let case = Case::new(architecture, cloud_data(20, 3), train);
        assert_eq!(case.undisturbed().0, case.undisturbed().0);
    }
}

#[test]
fn every_optimizer_resumes_after_every_step_to_the_same_bytes() {
    for optimizer in optimizers() {
        let architecture = json!({"name": "mlp", "hidden": [6]});
        let train = json!({"epochs": 3, "batch_size": 8, "optimizer": optimizer});
        Case::new(architecture, cloud_data(20, 3), train).holds();
    }
}

#[test]
fn every_optimizer_resumes_with_everything_switched_on() {
    for optimizer in optimizers() {
        let architecture = json!({"name": "mlp", "hidden": [6, 5], "dropout": 0.3, "batch_norm": true});
        let train = json!({
            "epochs": 4, "batch_size": 8, "optimizer": optimizer, "ema": 0.8, "clip_norm": 0.5, "warmup_steps": 4,
            "schedule": {"name": "plateau", "factor": 0.5, "patience": 0, "threshold": 0.05},
            "regularization": {"l1": 0.001, "max_norm": 1.5},
            "early_stopping": {"patience": 3},
        });
        Case::new(architecture, cloud_data(20, 3), train).holds();
    }
}

#[test]
fn every_part_resumes_on_its_own() {
    let sgd = json!({"name": "sgd", "lr": 0.2, "momentum": 0.9});
    let plain = json!({"name": "mlp", "hidden": [6]});
    let normed = json!({"name": "mlp", "hidden": [6], "batch_norm": true});
    let dropped = json!({"name": "mlp", "hidden": [6], "dropout": 0.5});
    let mut cases = vec![
        (normed.clone(), json!({})),
        (dropped, json!({})),
        (plain.clone(), json!({"ema": 0.9})),
        (normed, json!({"ema": 0.9})),
        (plain.clone(), json!({"early_stopping": {"patience": 1}, "epochs": 9})),
        (plain.clone(), json!({"until": {"accuracy": 0.9}, "epochs": 9})),
        (plain.clone(), json!({"loss": {"name": "mse"}})),
    ];
    for schedule in ["constant", "step", "exponential", "cosine", "one-cycle", "plateau"] {
        cases.push((plain.clone(), json!({"schedule": {"name": schedule}, "warmup_steps": 2})));
    }
    for (architecture, changes) in cases {
        let mut train = json!({"epochs": 3, "batch_size": 8, "optimizer": sgd});
        train.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut case = Case::new(architecture, cloud_data(20, 3), train);
        case.holds();
        // And where the training loss is what is monitored.
        if case.config.until.is_none() {
            case.data.validation = None;
            case.holds();
        }
    }
    for architecture in ["cnn", "lenet5"] {
        for optimizer in ["muon", "adamw"] {
            let train = json!({"epochs": 2, "batch_size": 4, "optimizer": {"name": optimizer}, "ema": 0.5});
            Case::new(json!({"name": architecture}), pictures(8, 12), train).holds();
        }
    }
}

/// More than fifty steps, so that single steps are logged too.
#[test]
fn a_long_job_resumes_wherever_it_was_stopped_once_or_cut_off() {
    let train = json!({
        "epochs": 3, "batch_size": 1, "ema": 0.8, "checkpoint": {"every_steps": 7},
        "optimizer": {"name": "adam", "lr": 0.01},
    });
    let architecture = json!({"name": "mlp", "hidden": [5], "dropout": 0.2});
    let case = Case::new(architecture, cloud_data(20, 3), train);
    let (expected, steps) = case.undisturbed();
    assert_eq!(steps, 60);
    assert!(String::from_utf8_lossy(&expected[name::METRICS]).contains(r#"{"event":"step","step":50,"#));
    for at in (1..=steps).step_by(3).chain([20, 40, 50, 60]) {
        // Stopped by request.
        let run = Run::new();
        let outcome = run.train_watched(case.network(), &case.data, &case.config, stop_after(at)).unwrap();
        assert_eq!(outcome.reason == StopReason::Interrupted, at < steps, "at {at}");
        run.train(case.network(), &case.data, &case.config).unwrap();
        assert!(files(&run.folder) == expected, "stopped after step {at}");

        // Cut off in the middle, with half a line in each log.
        let run = Run::new();
        let cut_at = |event: &Event<'_>, _: &AtomicBool| {
            if matches!(event, Event::Step { step, .. } if *step == at) {
                resume_unwind(Box::new("cut off"));
            }
        };
        let job = || run.train_watched(case.network(), &case.data, &case.config, cut_at);
        assert!(catch_unwind(AssertUnwindSafe(job)).is_err());
        for log in [name::METRICS, name::EVENTS] {
            let mut bytes = run.folder.read(log).unwrap();
            bytes.extend(br#"{"event":"ep"#);
            fs::write(run.folder.path(log), bytes).unwrap();
        }
        run.train(case.network(), &case.data, &case.config).unwrap();
        assert!(files(&run.folder) == expected, "cut off after step {at}");
    }
}

/// With a clock that runs, everything but the seconds is the same.
#[test]
fn a_running_clock_changes_only_the_seconds() {
    let train = json!({"epochs": 3, "batch_size": 8, "ema": 0.8, "checkpoint": {"every_minutes": 0.5}});
    let case = Case::new(json!({"name": "mlp", "hidden": [5], "dropout": 0.2}), cloud_data(20, 3), train);
    let lines = |tick: f64, stop_at: Option<u64>| {
        let mut run = Run::new();
        run.tick = tick;
        if let Some(step) = stop_at {
            run.train_watched(case.network(), &case.data, &case.config, stop_after(step)).unwrap();
        }
        run.train(case.network(), &case.data, &case.config).unwrap();
        let mut epochs = epochs(&run.folder);
        let seconds: Vec<f64> = epochs.iter().map(|line| line["seconds"].as_f64().unwrap()).collect();
        assert!(seconds.is_sorted(), "{seconds:?}");
        epochs.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove("seconds")));
        (epochs, run.folder.read(name::MODEL).unwrap(), run.folder.read(name::BEST).unwrap())
    };
    let expected = lines(0.0, None);
    for stop_at in [None, Some(1), Some(3), Some(5), Some(8)] {
        assert!(lines(11.7, stop_at) == expected, "stopped at {stop_at:?}");
    }
}

#[test]
fn a_finished_run_is_left_as_it_is() {
    let case = Case::new(json!({"name": "mlp"}), cloud_data(20, 3), json!({"epochs": 2, "batch_size": 8}));
    let run = Run::new();
    let first = run.train(case.network(), &case.data, &case.config).unwrap();
    let before = files(&run.folder);
    let mut steps = 0;
    let again = run
        .train_watched(case.network(), &case.data, &case.config, |event, _| {
            steps += u64::from(matches!(event, Event::Step { .. }));
        })
        .unwrap();
    assert_eq!((steps, again.reason, again.epochs), (0, first.reason, first.epochs));
    assert!(files(&run.folder) == before);
}

// ---------------------------------------------------------------------------------------------------------------------
// Ending
// ---------------------------------------------------------------------------------------------------------------------

#[test]
fn a_target_that_is_met_ends_training_and_one_that_is_not_does_not() {
    let run_until = |until: Value, mut data: Dataset, on_test: bool| {
        if on_test {
            data.test = data.validation.take();
        }
        let train = json!({
            "epochs": 20, "batch_size": 8, "until": until, "optimizer": {"name": "adam", "lr": 0.01},
        });
        let case = Case::new(json!({"name": "mlp", "hidden": [8]}), data, train);
        Run::new().train(case.network(), &case.data, &case.config).unwrap()
    };
    for on_test in [false, true] {
        let outcome = run_until(json!({"accuracy": 0.95}), cloud_data(60, 3), on_test);
        assert_eq!(outcome.reason, StopReason::TargetMet);
        let accuracies: Vec<f64> = outcome
            .epochs
            .iter()
            .map(|epoch| epoch.validation_accuracy.or(epoch.test_accuracy).unwrap())
            .collect();
        let (last, earlier) = accuracies.split_last().unwrap();
        assert!(*last >= 0.95 && earlier.iter().all(|a| *a < 0.95), "{accuracies:?}");
        assert!(!earlier.is_empty(), "too easy a target to say anything");
    }
    let outcome = run_until(json!({"loss": 0.0}), cloud_data(60, 3), false);
    assert_eq!((outcome.reason, outcome.epochs.len()), (StopReason::Completed, 20));
    let outcome = run_until(json!({"loss": 1e9, "accuracy": 1.1}), cloud_data(60, 3), false);
    assert_eq!(outcome.reason, StopReason::Completed, "both targets must be met");
}

#[test]
fn jobs_that_make_no_sense_are_refused_before_anything_is_written() {
    let refusal = |data: &Dataset, train: Value| {
        let run = Run::new();
        let config = config(train);
        let network = network(
            &json!({"name": "mlp", "hidden": [3]}),
            data,
            &TrainConfig {
                loss: serde_json::from_value(json!({"name": "mse"})).unwrap(),
                ..TrainConfig::default()
            },
        );
        let error = run.train(network, data, &config).unwrap_err().to_string();
        assert!(files(&run.folder).is_empty(), "{error}");
        error
    };
    let mut alone = cloud_data(20, 3);
    alone.validation = None;
    assert_eq!(
        refusal(&alone, json!({"until": {"accuracy": 0.9}})),
        "`train.until` needs a validation or a test split to measure on, but the data have neither"
    );
    assert_eq!(
        refusal(&surface(20), json!({"loss": {"name": "mse"}, "until": {"accuracy": 0.9}})),
        "`train.until.accuracy` is for classes, but the target is a number; use `train.until.loss`"
    );
    assert_eq!(
        refusal(&surface(20), json!({})),
        "`cross-entropy` is for classes, but the target is a number; use `mse`"
    );
    let empty = table(rows(4, Vec::new(), Targets::Classes(Vec::new())), None, classification(3));
    assert_eq!(refusal(&empty, json!({})), "there are no training examples");
}

/// Noise for labels: the validation loss falls a little and then rises.
fn noise() -> Dataset {
    let split = |stream, count| {
        let mut rng = seed::stream(3, "noise", stream);
        let values = (0..4 * count).map(|_| rng.random_range(-1.0..1.0)).collect();
        let labels = (0..count).map(|_| rng.random_range(0..3)).collect();
        rows(4, values, Targets::Classes(labels))
    };
    table(split(0, 24), Some(split(1, 30)), classification(3))
}

#[test]
fn early_stopping_keeps_the_weights_of_the_best_epoch() {
    for ema in [None, Some(0.5)] {
        let mut train = json!({
            "epochs": 60, "batch_size": 8, "optimizer": {"name": "adam", "lr": 0.03},
            "early_stopping": {"patience": 3},
        });
        if let Some(decay) = ema {
            train["ema"] = json!(decay);
        }
        let case = Case::new(json!({"name": "mlp", "hidden": [16], "batch_norm": true}), noise(), train);
        let run = Run::new();
        let outcome = run.train(case.network(), &case.data, &case.config).unwrap();
        assert_eq!(outcome.reason, StopReason::EarlyStopped);
        let best = outcome.best_epoch.unwrap();
        assert_eq!(best + 3, outcome.epochs.len() as u64);
        let losses: Vec<f64> = outcome.epochs.iter().map(|epoch| epoch.validation_loss.unwrap()).collect();
        let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(losses[best as usize - 1], lowest);
        assert_eq!(run.folder.read(name::MODEL).unwrap(), run.folder.read(name::BEST).unwrap());
        let examples = case.data.validation.as_ref().unwrap();
        let measured = evaluate(
            &outcome.network,
            examples,
            case.config.loss.loss(),
            &case.data.format.task,
            &Device::flex(),
        );
        assert_eq!(measured.loss, lowest);
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Failing
// ---------------------------------------------------------------------------------------------------------------------

/// A run of one epoch that then goes on with another learning rate: the error, after a look at the files.
fn diverge(data: Dataset, train: Value, lr: f64) -> TrainError {
    let architecture = json!({"name": "mlp", "hidden": [8, 8]});
    let case = Case::new(architecture, data, train);
    let run = Run::new();
    let stop = |event: &Event<'_>, stop: &AtomicBool| {
        if matches!(event, Event::Epoch(_)) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let outcome = run.train_watched(case.network(), &case.data, &case.config, stop).unwrap();
    assert_eq!(outcome.reason, StopReason::Interrupted);
    let before = files(&run.folder);
    let mut wild = serde_json::to_value(&case.config).unwrap();
    wild["optimizer"]["lr"] = json!(lr);
    let error = run.train(case.network(), &case.data, &config(wild)).unwrap_err();
    assert!(files(&run.folder) == before, "{error}");
    error
}

#[test]
fn divergence_names_the_step_and_the_layer_and_leaves_what_was_saved() {
    let train = json!({"epochs": 5, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.1}});
    let error = diverge(cloud_data(24, 3), train, 1e30);
    assert!(matches!(error, TrainError::Diverged { step: 5, epoch: 2, .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("training diverged at step 5 (epoch 2): the output of layer `fc"), "{text}");
    assert!(text.contains("(Linear) is not finite"), "{text}");
    assert!(text.contains("Try a lower learning rate (it was 1000000000000000000000000000000)"), "{text}");
}

/// The loss of a step is that before it: a step that ruins the weights at the end of an epoch shows in the weights, and
/// in the loss on held-out examples if there are any.
#[test]
fn weights_ruined_by_the_last_step_of_an_epoch_are_never_saved() {
    for (lr, held_out) in [(1e30, true), (1e39, true), (1e39, false), (1e300, false)] {
        let mut data = cloud_data(24, 3);
        if !held_out {
            data.validation = None;
        }
        let train = json!({"epochs": 5, "batch_size": 24, "optimizer": {"name": "sgd", "lr": 0.1}});
        let error = diverge(data, train, lr);
        assert!(matches!(error, TrainError::Diverged { step: 2, epoch: 2, .. }), "{error:?}");
    }
}

#[test]
fn a_damaged_checkpoint_is_an_error_and_stays_where_it_is() {
    let train = json!({"epochs": 3, "batch_size": 8, "ema": 0.5});
    let case = Case::new(json!({"name": "mlp", "hidden": [5]}), cloud_data(24, 3), train);
    let run = Run::new();
    run.train_watched(case.network(), &case.data, &case.config, stop_after(5)).unwrap();
    let whole = run.folder.read(name::LAST).unwrap();
    let mut flipped = whole.clone();
    flipped[20] ^= 0xff;
    let weights_only = run.folder.read(name::BEST).unwrap();
    let at = whole.windows(13).position(|bytes| bytes == br#"\"version\":1"#).unwrap();
    let mut newer = whole.clone();
    newer[at + 12] = b'9';
    let damaged: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("a few bytes", whole[..7].to_vec()),
        ("half a header", whole[..100].to_vec()),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("a byte short", whole[..whole.len() - 1].to_vec()),
        ("a byte long", [&whole[..], b"x"].concat()),
        ("garbage", (0..4000_u32).map(|i| (i * i % 251) as u8).collect()),
        ("text", b"these are not weights".to_vec()),
        ("a header of many bytes", u64::MAX.to_le_bytes().to_vec()),
        ("a flipped byte", flipped),
        ("weights alone", weights_only),
        ("another version", newer),
    ];
    for (what, bytes) in damaged {
        fs::write(run.folder.path(name::LAST), &bytes).unwrap();
        let error = run.train(case.network(), &case.data, &case.config).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, TrainError::Damaged { .. }), "{what}: {text}");
        let start = format!("{} is damaged: ", run.folder.path(name::LAST).display());
        assert!(text.starts_with(&start), "{what}: {text}");
        println!("{what}: {}", &text[start.len()..]);
        assert_eq!(run.folder.read(name::LAST).unwrap(), bytes, "{what}");
    }
    // Put back, it goes on.
    fs::write(run.folder.path(name::LAST), &whole).unwrap();
    run.train(case.network(), &case.data, &case.config).unwrap();
    assert!(files(&run.folder) == case.undisturbed().0);
}

/// A checkpoint of one job in the folder of another.
#[test]
fn a_checkpoint_of_another_job_is_an_error() {
    let base = json!({"epochs": 3, "batch_size": 8, "optimizer": {"name": "sgd", "momentum": 0.9}});
    let case = Case::new(json!({"name": "mlp", "hidden": [5]}), cloud_data(24, 3), base);
    let run = Run::new();
    run.train_watched(case.network(), &case.data, &case.config, stop_after(5)).unwrap();
    let wider = network(&json!({"name": "mlp", "hidden": [6]}), &case.data, &case.config);
    let error = run.train(wider, &case.data, &case.config).unwrap_err();
    assert!(matches!(error, TrainError::Weights { .. }), "{error}");
    assert!(error.to_string().contains("fc1.bias is [5] in the file, [6] in the network"), "{error}");
    let adam = config(json!({"epochs": 3, "batch_size": 8, "optimizer": {"name": "adam"}}));
    let error = run.train(case.network(), &case.data, &adam).unwrap_err();
    assert!(matches!(error, TrainError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("the optimizer's state of `fc1.bias` is not whole"), "{error}");
}

/// A whole file whose numbers make no sense together.
#[test]
fn a_checkpoint_at_odds_with_itself_is_an_error() {
    let train = json!({"epochs": 3, "batch_size": 8, "optimizer": {"name": "sgd", "momentum": 0.9}});
    let case = Case::new(json!({"name": "mlp", "hidden": [5]}), cloud_data(24, 3), train);
    let run = Run::new();
    run.train_watched(case.network(), &case.data, &case.config, stop_after(5)).unwrap();
    let whole = run.folder.read(name::LAST).unwrap();
    let (tensors, header) = weights::from_safetensors(&whole, "crucible").unwrap();
    let header = header.unwrap();
    let mut cases = Vec::new();
    for rank in [0, 1, 3, 9] {
        let changed = header.replace(r#""fc1.weight/rank":2"#, &format!(r#""fc1.weight/rank":{rank}"#));
        assert_ne!(changed, header);
        cases.push((format!("rank {rank}"), tensors.clone(), changed));
    }
    let momentum = tensors.keys().find(|name| name.starts_with("optimizer/fc1.weight")).unwrap();
    for shape in [vec![20], vec![4, 5], vec![1, 1], vec![5, 4, 1]] {
        let mut tensors = tensors.clone();
        let values = vec![0.5; shape.iter().product()];
        tensors.insert(momentum.clone(), weights::HostTensor { shape: shape.clone(), values });
        cases.push((format!("a momentum of {shape:?}"), tensors, header.clone()));
    }
    for (what, tensors, header) in cases {
        let bytes = weights::to_safetensors(&tensors, Some(("crucible", header)));
        fs::write(run.folder.path(name::LAST), &bytes).unwrap();
        let result = catch_unwind(AssertUnwindSafe(|| run.train(case.network(), &case.data, &case.config)));
        let error = result.unwrap_or_else(|_| panic!("{what}: a panic")).err();
        let error = error.unwrap_or_else(|| panic!("{what}: no error"));
        assert!(matches!(error, TrainError::Damaged { .. }), "{what}: {error}");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// TensorBoard
// ---------------------------------------------------------------------------------------------------------------------

/// CRC-32C bit by bit: RFC 3720, appendix B.4.
fn crc32c(data: &[u8]) -> u32 {
    let shift = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !data.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc)))
}

fn masked(data: &[u8]) -> u32 {
    let crc = crc32c(data);
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The contents of a file of TFRecords, every checksum verified.
fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at(12);
        assert_eq!(number(&head[8..]), masked(&head[..8]));
        let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
        let (data, rest) = rest.split_at(length);
        let (crc, rest) = rest.split_at(4);
        assert_eq!(number(crc), masked(data));
        records.push(data);
        bytes = rest;
    }
    records
}

/// A value of the protobuf wire format.
#[derive(Debug, Clone, PartialEq)]
enum Field<'a> {
    Varint(u64),
    Double(f64),
    Bytes(&'a [u8]),
    Float(f32),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                fields.push((key >> 3, Field::Varint(varint(&mut bytes))));
                continue;
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(length);
        bytes = rest;
        let field = match key & 7 {
            1 => Field::Double(f64::from_le_bytes(value.try_into().unwrap())),
            5 => Field::Float(f32::from_le_bytes(value.try_into().unwrap())),
            _ => Field::Bytes(value),
        };
        fields.push((key >> 3, field));
    }
    fields
}

/// `event.proto` and `summary.proto` of TensorFlow: Event has wall_time = 1, step = 2, file_version = 3, summary = 5;
/// Summary has value = 1; Value has tag = 1, simple_value = 2.
fn scalars(event: &[u8]) -> (u64, Vec<(&str, f32)>) {
    let mut step = 0;
    let mut scalars = Vec::new();
    for field in fields(event) {
        match field {
            (1, Field::Double(time)) => assert!(time >= 1000.0),
            (2, Field::Varint(value)) => step = value,
            (5, Field::Bytes(summary)) => {
                for (number, value) in fields(summary) {
                    let (1, Field::Bytes(value)) = (number, value) else { panic!("no value of a summary") };
                    let [(1, Field::Bytes(tag)), (2, Field::Float(value))] = fields(value)[..] else {
                        panic!("no tag and simple value");
                    };
                    scalars.push((std::str::from_utf8(tag).unwrap(), value));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    (step, scalars)
}

#[test]
fn the_checksum_is_the_published_one() {
    // RFC 3720, appendix B.4.
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn tensorboard_reads_what_the_metrics_say() {
    let mut data = cloud_data(60, 3);
    data.test = Some(clouds(15, 3, 2));
    let case = Case::new(json!({"name": "mlp", "hidden": [5]}), data, json!({"epochs": 2, "batch_size": 1}));
    let mut run = Run::new();
    run.tick = 0.25;
    run.train(case.network(), &case.data, &case.config).unwrap();
    let bytes = run.folder.read(name::EVENTS).unwrap();
    let records = records(&bytes);
    let (first, rest) = records.split_first().unwrap();
    assert!(fields(first).contains(&(3, Field::Bytes(b"brain.Event:2"))));

    let text = String::from_utf8(run.folder.read(name::METRICS).unwrap()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Steps 50 and 100, and two epochs.
    assert_eq!((lines.len(), rest.len()), (4, 4));
    let names: [(&str, &[(&str, &str)]); 2] = [
        ("step", &[("loss/step", "loss"), ("learning_rate", "lr")]),
        (
            "epoch",
            &[
                ("loss/train", "loss"),
                ("loss/validation", "validation_loss"),
                ("loss/test", "test_loss"),
                ("accuracy/validation", "validation_accuracy"),
                ("accuracy/test", "test_accuracy"),
            ],
        ),
    ];
    for (line, event) in lines.iter().zip(rest) {
        let (step, found) = scalars(event);
        assert_eq!(Some(step), line["step"].as_u64());
        let (_, names) = names.iter().find(|(event, _)| line["event"] == *event).unwrap();
        let expected: Vec<(&str, f32)> =
            names.iter().map(|(tag, key)| (*tag, line[*key].as_f64().unwrap() as f32)).collect();
        assert_eq!(found, expected);
    }
}
