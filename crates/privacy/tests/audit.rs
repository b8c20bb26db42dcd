//! Whether training keeps its promise, by an audit of what comes out of the trainer: many canaries, each with a direction
//! of its own in the gradient, and an attack that sees all that the promise covers.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]
#![expect(clippy::print_stdout, reason = "what each audit saw is worth reading where one fails")]

use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use crucible_data::{Dataset, Examples, Format, InputFormat, Inputs, Targets, Task, seed};
use crucible_models::{Architecture, InputShape, Network, weights};
use crucible_privacy::{
    DpSgd, Ledger, Plan,
    accountants::pld,
    audit::{Guesses, one_run},
};
use crucible_train::{Job, RunFolder, TrainConfig, train};
use rand::RngExt;
use serde_json::json;

/// Canaries: a pixel that is lit, of so many, in a class, of so many. No two share both.
const PIXELS: usize = 400;
const CLASSES: usize = 256;

/// Guesses, as many about members as about others, fixed before anything is seen.
const GUESSES: usize = 1000;

const DELTA: f64 = 1e-5;
const CONFIDENCE: f64 = 0.95;

/// The noise that is promised.
const NOISE: f64 = 2.0;

/// Those canaries that `members` says are trained on, with inputs a hundred times as large as the picture's values.
fn canaries(members: &[bool]) -> Dataset {
    let (mut values, mut classes) = (Vec::new(), Vec::new());
    for (canary, _) in members.iter().enumerate().filter(|(_, member)| **member) {
        let lit = values.len() + canary / CLASSES;
        values.resize(values.len() + PIXELS, 0);
        values[lit] = 255;
        classes.push((canary % CLASSES) as u32);
    }
    let (mean, std) = (vec![0.0], vec![0.01]);
    let input = InputFormat::Image { channels: 1, height: 1, width: PIXELS, mean, std };
    let (scale, offset) = input.scale_and_offset();
    let inputs = Inputs::Bytes { values, scale, offset };
    let train = Examples::new(vec![1, 1, PIXELS], inputs, Targets::Classes(classes));
    let task = Task::Classification { classes: (0..CLASSES).map(|class| class.to_string()).collect() };
    Dataset {
        name: "canaries".to_owned(),
        format: Format { input, task },
        train,
        validation: None,
        test: None,
    }
}

/// A linear network whose weights are all zero.
fn network() -> Network {
    let mlp: Architecture = serde_json::from_value(json!({"name": "mlp", "hidden": []})).unwrap();
    let shape = InputShape::Image { channels: 1, height: 1, width: PIXELS };
    let network = mlp.init(shape, CLASSES, &mut seed::stream(1, "weights", 0), &Device::flex()).unwrap();
    let mut state = weights::collect(&network);
    state.values_mut().for_each(|tensor| tensor.values.fill(0.0));
    weights::assign(network, &state).unwrap()
}

/// One step of gradient descent over all examples, with noise of this deviation over the clipping norm.
fn config(noise: f64) -> TrainConfig {
    serde_json::from_value(json!({
        "epochs": 1, "batch_size": 512, "optimizer": {"name": "gradient-descent", "lr": 1.0},
        "privacy": {"noise": noise, "delta": DELTA, "clip": 1.0, "seeded": true, "physical_batch_size": 512}
    }))
    .unwrap()
}

/// The bound that an audit with this seed finds below ε, where the noise is `noise`, and ε by the run's own ledger.
fn audit(noise: f64, seed: u64) -> (f64, f64) {
    let mut coins = seed::stream(seed, "canaries", 0);
    let members: Vec<bool> = (0..PIXELS * CLASSES).map(|_| coins.random()).collect();
    let data = canaries(&members);
    let (config, network) = (config(noise), network());
    let plan = Plan { examples: data.train.len(), batch: data.train.len(), steps: 1 };
    let mut rule = DpSgd::new(config.privacy.as_ref().unwrap(), &network, plan).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(&parent.path().join("run"), "").unwrap();
    let (stop, device) = (AtomicBool::new(false), Device::flex());
    let job = Job {
        network,
        data: &data,
        config: &config,
        rule: &mut rule,
        seed,
        device: &device,
        folder: &folder,
        stop: &stop,
        clock: &|| 0.0,
    };
    let outcome = train(job, &mut |_| ()).unwrap();
    assert_eq!(outcome.steps, 1);
    // How far the weight of each canary's pixel and class has moved up, from zero.
    let weight = &weights::collect(&outcome.network)["fc1.weight"];
    assert_eq!(weight.shape, [CLASSES, PIXELS]);
    let moved = |canary: usize| f64::from(weight.values[canary % CLASSES * PIXELS + canary / CLASSES]);
    let scores: Vec<f64> = (0..members.len()).map(moved).collect();
    let guesses = Guesses::by_rank(&scores, &members, GUESSES).unwrap();
    let ledger = Ledger::read(&folder).unwrap().unwrap();
    let bound = one_run(guesses, DELTA, CONFIDENCE).unwrap();
    println!("noise {noise}, seed {seed}: {} of {GUESSES} right, ε at least {bound:.3}", guesses.right());
    (bound, pld(&ledger.phases().unwrap(), ledger.delta).unwrap().upper)
}

#[test]
fn what_training_promises_no_audit_refutes() {
    let mut bounds = Vec::new();
    for seed in 0..20 {
        let (bound, claim) = audit(NOISE, seed);
        // A Gaussian mechanism of μ = 1/2.
        assert!((claim - 1.993).abs() < 5e-3, "{claim}");
        assert!(bound <= claim, "seed {seed}: a bound of {bound} above the claim {claim}");
        bounds.push(bound);
    }
    // An audit that sees nothing refutes nothing, and would say nothing here.
    let mean = bounds.iter().sum::<f64>() / bounds.len() as f64;
    assert!(mean > 1.0, "a mean bound of {mean}");
}

/// The same audit of a rule that adds half the noise, held against what the whole would promise.
#[test]
fn noise_that_is_wrongly_halved_is_found_out() {
    let claim = audit(NOISE, 0).1;
    for seed in 0..3 {
        let (bound, truth) = audit(NOISE / 2.0, seed);
        assert!(bound > claim, "seed {seed}: a bound of {bound} below the claim {claim}");
        assert!(bound <= truth, "seed {seed}: a bound of {bound} above {truth}");
    }
}
