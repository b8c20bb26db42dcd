//! The laws of pairs that are trained against each other: what each side makes small is what was published, penalties have the
//! gradients of float64, and jobs learn, repeat, resume and fail as those of one network do.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use crucible_data::{Dataset, Examples, Format, InputFormat, Inputs, Targets, Task, seed};
use crucible_models::{
    DiscriminatorConfig,
    discriminators::{DcganConfig, Gaze, Normalization},
    generators::Drawing,
    weights,
};
use crucible_train::{
    RunFolder, StopReason, TrainError,
    adversarial::{
        Alarm, GanConfig, Pair, PairEvent, PairJob, PairOutcome, latent,
        objectives::ObjectiveConfig,
        penalties::{PenaltyConfig, penalize},
        pictures, train_pair,
    },
    run_folder::name,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tempfile::TempDir;

fn wave(count: usize, phase: f64) -> Vec<f32> {
    (0..count).map(|i| (0.7 * i as f64 + phase).sin() as f32).collect()
}

// ---------------------------------------------------------------------------------------------------------------------
// Objectives and penalties
// ---------------------------------------------------------------------------------------------------------------------

#[test]
fn objectives_are_those_that_were_published() {
    let device = Device::flex();
    let scores = |values: [f32; 4]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [4, 1]), &device);
    let (real, fake) = (scores([2.5, -0.5, 0.25, 40.0]), scores([-1.5, 0.75, -40.0, 0.5]));
    // golden/objectives.py
    for (name, discriminator, generator) in [
        ("non-saturating", 0.985_316_851_657_314_3, 10.640_590_317_069_44),
        ("least-squares", 391.140_625, 210.945_312_5),
        ("hinge", 1.375, 10.0625),
        ("wasserstein", -20.625, 10.0625),
    ] {
        let config: ObjectiveConfig = serde_json::from_value(json!({ "name": name })).unwrap();
        let objective = config.objective();
        let losses = [objective.discriminator(real.clone(), fake.clone()), objective.generator(fake.clone())];
        for (loss, expected) in losses.into_iter().zip([discriminator, generator]) {
            let loss = f64::from(loss.into_scalar::<f32>());
            assert!((loss - expected).abs() < 1e-5 * expected.abs(), "{name}: {loss}, not {expected}");
        }
    }
    assert_eq!(ObjectiveConfig::all().len(), 4);
}

#[test]
fn penalties_and_their_gradients_are_those_of_float64() {
    let golden: Value = serde_json::from_str(include_str!("golden/penalties.json")).unwrap();
    let device = Device::flex();
    let (mut worst, mut cases) = (0.0f64, 0);
    for (case, golden) in golden.as_object().unwrap() {
        let (penalty, normalization) = case.split_once('/').unwrap();
        let penalty: PenaltyConfig = serde_json::from_value(json!({ "name": penalty })).unwrap();
        let normalization: Normalization = serde_json::from_value(json!(normalization)).unwrap();
        let config = DiscriminatorConfig::Dcgan(DcganConfig { channels: 5, normalization });
        let gaze = Gaze { channels: 1, size: 16, classes: Some(3) };
        let network = config.init(gaze, &mut ChaCha8Rng::seed_from_u64(1), &device).unwrap();
        let mut state = weights::collect(&network);
        for (place, (name, tensor)) in state.iter_mut().enumerate() {
            let mut values: Vec<f32> =
                wave(tensor.values.len(), place as f64).iter().map(|v| 0.3 * v).collect();
            if name.ends_with(".u") || name.ends_with(".v") {
                let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt();
                values.iter_mut().for_each(|v| *v /= norm);
            }
            tensor.values = values;
        }
        let network = weights::assign(network, &state).unwrap().train();
        let points = Tensor::<2>::from_data(TensorData::new(wave(4 * 256, 0.2), [4, 256]), &device);
        let classes = TensorData::new(vec![0i32, 2, 1, 1], [4, 1]);
        let classes = Tensor::<2, Int>::from_data(classes, &device.clone().autodiff());
        let (value, surrogate) = penalize(&network, penalty.penalty(), points, Some(classes));
        let expected = golden["value"].as_f64().unwrap();
        assert!((value - expected).abs() < 1e-5 * expected, "{case}: {value}, not {expected}");
        let gradients = GradientsParams::from_grads(surrogate.backward(), &network);
        let found = collect(&network, &gradients);
        for (name, golden) in golden["gradients"].as_object().unwrap() {
            let golden: Vec<f64> = serde_json::from_value(golden.clone()).unwrap();
            let scale = golden.iter().fold(0.0f64, |scale, value| scale.max(value.abs()));
            // A bias only moves what rectifiers see: its gradient is zero, or there is none.
            let own = found.get(name).cloned().unwrap_or_else(|| vec![0.0; golden.len()]);
            for (own, golden) in own.iter().zip(&golden) {
                let error = (f64::from(*own) - golden).abs() / scale.max(1e-3);
                worst = worst.max(error);
            }
            cases += 1;
        }
    }
    assert!(cases >= 12, "{cases}");
    assert!(worst < 1e-5, "{worst}");
}

/// Gradients by the names of their parameters.
fn collect(network: &impl Module, gradients: &GradientsParams) -> BTreeMap<String, Vec<f32>> {
    struct Visit<'a> {
        path: weights::Path,
        gradients: &'a GradientsParams,
        found: BTreeMap<String, Vec<f32>>,
    }
    impl burn::module::ModuleVisitor for Visit<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.get::<D>(param.id) {
                self.found.insert(self.path.name(), gradient.into_data().try_to_vec().unwrap());
            }
        }
    }
    let mut visit = Visit { path: weights::Path::default(), gradients, found: BTreeMap::new() };
    network.visit(&mut visit);
    visit.found
}

// ---------------------------------------------------------------------------------------------------------------------
// Jobs
// ---------------------------------------------------------------------------------------------------------------------

/// Pictures of 8x8 whose left or right half is bright, from −1 to 1.
fn halves(count: usize) -> Dataset {
    let mut rng = seed::stream(3, "pictures", 0);
    let labels: Vec<u32> = (0..count as u32).map(|i| i % 2).collect();
    let mut values = Vec::new();
    for &label in &labels {
        for at in 0..64 {
            let bright = u32::from(at % 8 >= 4) == label;
            values.push(rng.random_range(0..100) + if bright { 150 } else { 0 });
        }
    }
    let inputs = Inputs::Bytes { values, scale: vec![2.0 / 255.0], offset: vec![-1.0] };
    let train = Examples::new(vec![1, 8, 8], inputs, Targets::Classes(labels));
    let input = InputFormat::Image { channels: 1, height: 8, width: 8, mean: vec![0.5], std: vec![0.5] };
    let task = Task::Classification { classes: ["left", "right"].map(str::to_owned).to_vec() };
    Dataset { name: "halves".to_owned(), format: Format { input, task }, train, validation: None, test: None }
}

/// A small conditional pair with everything that a checkpoint must hold.
fn config(changes: Value) -> GanConfig {
    let mut config = json!({
        "epochs": 2, "batch_size": 8, "latent": 6, "conditional": true, "critic_steps": 2, "ema": 0.9,
        "generator": { "name": "dcgan", "channels": 8, "embedding": 4 },
        "discriminator": { "name": "dcgan", "channels": 8 },
        "objective": { "name": "hinge" },
        "penalty": { "name": "r1", "weight": 0.1, "every": 2 },
        "augmentation": { "brightness": 0.2, "translation": 0.1, "cutout": 0.2 },
        "generator_optimizer": { "name": "adam", "lr": 0.002, "beta1": 0.0 },
        "discriminator_optimizer": { "name": "adam", "lr": 0.004, "beta1": 0.0 },
        "schedule": { "name": "cosine" },
    });
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    config.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    serde_json::from_value(config).unwrap()
}

struct Run {
    folder: RunFolder,
    stop: AtomicBool,
    _parent: TempDir,
}

impl Run {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&parent.path().join("run"), "seed = 7\n").unwrap();
        Self { folder, stop: AtomicBool::new(false), _parent: parent }
    }

    fn train(
        &self,
        data: &Dataset,
        config: &GanConfig,
        observe: &mut dyn FnMut(&PairEvent<'_>, &AtomicBool),
    ) -> Result<PairOutcome, TrainError> {
        self.stop.store(false, Ordering::Relaxed);
        let (device, stop) = (&Device::flex(), &self.stop);
        let classes = config.conditional.then_some(2);
        let drawing = Drawing { channels: 1, size: 8, latent: config.latent, classes };
        let gaze = Gaze { channels: 1, size: 8, classes };
        let pair = Pair {
            generator: config.generator.init(drawing, &mut seed::stream(7, "g", 0), device).unwrap(),
            discriminator: config.discriminator.init(gaze, &mut seed::stream(7, "d", 0), device).unwrap(),
        };
        let folder = &self.folder;
        let job = PairJob { pair, drawing, data, config, seed: 7, device, folder, stop, clock: &|| 1000.0 };
        train_pair(job, &mut |event| observe(&event, stop))
    }

    fn files(&self) -> BTreeMap<&'static str, Vec<u8>> {
        let names =
            [name::MODEL, name::METRICS, name::EVENTS, name::LAST, "samples/0001.png", "samples/0002.png"];
        names.into_iter().map(|name| (name, self.folder.read(name).unwrap())).collect()
    }
}

#[test]
fn a_pair_learns_to_make_what_it_is_asked_for() {
    let data = halves(160);
    let config = config(json!({ "epochs": 25, "critic_steps": 1, "penalty": null, "augmentation": null }));
    let run = Run::new();
    let outcome = run.train(&data, &config, &mut |_, _| {}).unwrap();
    assert_eq!((outcome.reason, outcome.epochs.len(), outcome.steps), (StopReason::Completed, 25, 500));
    let drawing = Drawing { channels: 1, size: 8, latent: 6, classes: Some(2) };
    let mut rng = seed::stream(1, "asked", 0);
    let latents: Vec<f32> = (0..40).flat_map(|_| latent(6, &mut rng)).collect();
    let classes: Vec<u32> = (0..40).map(|i| i % 2).collect();
    let made = pictures(&outcome.generator, drawing, &latents, Some(&classes), &Device::flex());
    let right = made.chunks(64).zip(&classes).filter(|(picture, class)| {
        let side = |right: bool| {
            let values = picture.iter().enumerate().filter(|(at, _)| (at % 8 >= 4) == right);
            values.map(|(_, value)| value).sum::<f32>() / 32.0
        };
        let (left, right) = (side(false), side(true));
        let (bright, dark) = if **class == 0 { (left, right) } else { (right, left) };
        bright > dark + 0.5
    });
    assert!(right.count() >= 38);
    let last = outcome.epochs.last().unwrap();
    assert!(last.spread > 0.3 && last.told.is_some_and(|told| told < 0.99), "{last:?}");
    let kept = weights::from_safetensors(&run.folder.read(name::MODEL).unwrap(), "format").unwrap().0;
    assert_eq!(kept, weights::collect(&outcome.generator));
}

#[test]
fn a_job_that_is_stopped_anywhere_goes_on_to_the_same_bytes() {
    let data = halves(72);
    for changes in [
        json!({}),
        json!({ "discriminator": { "name": "dcgan", "channels": 8, "normalization": "batch" },
            "objective": { "name": "least-squares" }, "penalty": { "name": "weight-clipping", "limit": 0.1 }, "ema": 0.0 }),
        json!({ "generator": { "name": "residual", "channels": 4 }, "discriminator": { "name": "residual", "channels": 4 },
            "objective": { "name": "wasserstein" }, "penalty": { "name": "gradient-penalty" }, "conditional": false }),
    ] {
        let config = config(changes);
        let whole = Run::new();
        whole.train(&data, &config, &mut |_, _| {}).unwrap();
        let steps = 2 * (72 / 16);
        for at in [1, 4, 6] {
            let run = Run::new();
            let outcome = run.train(&data, &config, &mut |event, stop| {
                if matches!(event, PairEvent::Step { step, .. } if *step == at) {
                    stop.store(true, Ordering::Relaxed);
                }
            });
            let outcome = outcome.unwrap();
            assert_eq!((outcome.reason, outcome.steps), (StopReason::Interrupted, at));
            let mut started = None;
            let outcome = run.train(&data, &config, &mut |event, _| {
                if let PairEvent::Start { step, steps } = event {
                    started = Some((*step, *steps));
                }
            });
            assert_eq!((started, outcome.unwrap().steps), (Some((at, steps)), steps));
            assert_eq!(run.files(), whole.files(), "stopped after step {at}");
        }
    }
}

#[test]
fn divergence_is_told_with_its_place_and_leaves_what_was_saved() {
    let data = halves(72);
    let run = Run::new();
    let wild = config(json!({ "generator_optimizer": { "name": "sgd", "lr": 1e30 }, "penalty": null }));
    let error = run.train(&data, &wild, &mut |_, _| {}).unwrap_err();
    let TrainError::PairDiverged { lrs, .. } = &error else { panic!("{error}") };
    assert!(lrs[0] > 1e29 && lrs[1] < 0.005);
    let text = error.to_string();
    assert!(text.starts_with("training diverged at step "), "{text}");
    assert!(text.contains("finite") && text.contains("Try lower learning rates"), "{text}");
    assert!(!run.folder.has(name::MODEL));
}

#[test]
fn alarms_are_told_once_when_they_begin() {
    let data = halves(72);
    let run = Run::new();
    // A generator that does not move makes the same pictures for ever, and is found out.
    let idle = config(json!({
        "epochs": 12, "penalty": null, "augmentation": null, "schedule": { "name": "constant" },
        "generator_optimizer": { "name": "sgd", "lr": 1e-12, "momentum": 0.0 },
    }));
    let mut told = Vec::new();
    let outcome = run.train(&data, &idle, &mut |event, _| {
        if let PairEvent::Alarm(alarm) = event {
            told.push(*alarm);
        }
    });
    let epochs = outcome.unwrap().epochs;
    let wins = told.iter().filter(|alarm| matches!(alarm, Alarm::DiscriminatorWins { .. })).count();
    assert_eq!(wins, 1, "{told:?}");
    assert!(
        epochs.last().unwrap().alarms.iter().any(|alarm| matches!(alarm, Alarm::DiscriminatorWins { .. }))
    );
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let data = halves(20);
    let refused = |changes: Value, words: &str| {
        let error = Run::new().train(&data, &config(changes), &mut |_, _| {}).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(
        json!({ "batch_size": 21 }),
        "`gan.batch_size`: a batch of 21 cannot be made of 20 training pictures",
    );
    refused(json!({ "schedule": { "name": "plateau" } }), "`gan.schedule`: `plateau` watches a loss");
    let full = json!({ "name": "gradient-descent" });
    refused(json!({ "discriminator_optimizer": full }), "`gan.discriminator_optimizer`: ");
    let batch = json!({ "name": "dcgan", "normalization": "batch" });
    refused(
        json!({ "discriminator": batch }),
        "`gan.penalty`: a penalty on gradients looks at each picture alone",
    );
}
