//! Backdoors in networks trained on MNIST: planted ones are found, and clean networks are not accused.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use crucible_data::{DataConfig, Dataset, Examples, Inputs, Targets, load, seed};
use crucible_models::{
    Architecture, Classifier, Differentiable, Featured, InputShape, Network, Pull, Pulled, Scaling, WhiteBox,
};
use crucible_robust::{
    Batch, RobustError,
    backdoor::{Corner, DetectorConfig, Patch, Plant, Planted, Reconstruct, Suspect, Trigger},
};
use crucible_train::{Job, Ordinary, PlainLoss, RunFolder, TrainConfig, train};

const SHAPE: [usize; 3] = [1, 28, 28];
const PIXELS: usize = 28 * 28;
const TARGET: u32 = 7;

/// Pictures, 0 to 1, and their labels.
fn pictures(examples: &Examples, n: usize) -> (Vec<f32>, Vec<u32>) {
    let Inputs::Bytes { values, .. } = examples.inputs() else { panic!("pictures") };
    let inputs = values[..n * PIXELS].iter().map(|value| f32::from(*value) / 255.0).collect();
    (inputs, examples.classes().unwrap()[..n].to_vec())
}

fn config(json: serde_json::Value) -> TrainConfig {
    serde_json::from_value(json).unwrap()
}

struct Trained {
    network: Network,
    scaling: Scaling,
    accuracy: f64,
}

fn fit(data: &Dataset, planted: &Planted, model: &serde_json::Value, epochs: u64, number: u64) -> Trained {
    let Inputs::Bytes { scale, offset, .. } = data.train.inputs() else { panic!("pictures") };
    let bytes = planted.inputs.iter().map(|value| (value * 255.0).round() as u8).collect();
    let inputs = Inputs::Bytes { values: bytes, scale: scale.clone(), offset: offset.clone() };
    let poisoned = Dataset {
        train: Examples::new(SHAPE.to_vec(), inputs, Targets::Classes(planted.labels.clone())),
        ..data.clone()
    };
    let device = Device::flex();
    let architecture: Architecture = serde_json::from_value(model.clone()).unwrap();
    let shape = InputShape::Image { channels: 1, height: 28, width: 28 };
    let network = architecture.init(shape, 10, &mut seed::stream(number, "weights", 0), &device).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let outcome = train(
        Job {
            network,
            data: &poisoned,
            config: &config(serde_json::json!({"epochs": epochs, "optimizer": {"name": "adam"}})),
            rule: &mut Ordinary::new(PlainLoss),
            seed: number,
            device: &device,
            folder: &RunFolder::create(&folder.path().join("run"), "").unwrap(),
            stop: &AtomicBool::new(false),
            clock: &|| 0.0,
        },
        &mut |_| (),
    )
    .unwrap();
    let scaling = Scaling { scale: vec![scale[0] * 255.0; PIXELS], offset: vec![offset[0]; PIXELS] };
    Trained {
        network: outcome.network,
        scaling,
        accuracy: outcome.epochs.last().unwrap().test_accuracy.unwrap(),
    }
}

/// What to try: `CRUCIBLE_BACKDOOR` in the environment, as JSON, for larger ones by hand.
#[derive(Debug, serde::Deserialize)]
#[serde(default)]
struct Experiment {
    pictures: usize,
    epochs: u64,
    size: usize,
    share: f64,
    seeds: u64,
    model: serde_json::Value,
    examples: usize,
    steps: u32,
}

impl Default for Experiment {
    /// Small, for every change of the code.
    fn default() -> Self {
        let model = serde_json::json!({"name": "mlp"});
        Self { pictures: 3000, epochs: 4, size: 4, share: 0.01, seeds: 1, model, examples: 48, steps: 100 }
    }
}

#[test]
fn a_planted_backdoor_is_found_and_a_clean_network_is_not_accused() {
    let experiment = match std::env::var("CRUCIBLE_BACKDOOR") {
        Ok(json) => serde_json::from_str(&json).unwrap(),
        Err(_) => Experiment::default(),
    };
    let n = experiment.pictures;
    for number in 0..experiment.seeds {
        let source: DataConfig = serde_json::from_value(serde_json::json!({"source": "mnist"})).unwrap();
        let mut data = load(&source, std::path::Path::new("."), number).unwrap();
        let (train, labels) = pictures(&data.train, n);
        let (test, test_labels) = pictures(data.test.as_ref().unwrap(), 2000);
        data.test = Some(data.test.unwrap().select(&(0..2000).collect::<Vec<_>>()));
        for share in [experiment.share, 0.0] {
            let trigger = Trigger::Patch(Patch { size: experiment.size, ..Patch::default() });
            let plant = Plant { trigger, target: TARGET, share };
            let clean = Batch::new(&train, &labels).pictures(SHAPE);
            let planted = plant.plant(clean, &mut seed::stream(number, "poison", 0)).unwrap();
            let trained = fit(&data, &planted, &experiment.model, experiment.epochs, number);
            let view = WhiteBox::new(&trained.network, &trained.scaling, 10, &Device::flex());
            let success = plant.success(&view, Batch::new(&test, &test_labels).pictures(SHAPE)).unwrap();
            let rate = success.successes as f64 / success.trials as f64;
            println!("seed {number}, share {share}: accuracy {:.3}, success {rate:.3}", trained.accuracy);
            assert!((rate > 0.8) == (share > 0.0) && trained.accuracy > 0.8, "seed {number}");
            let mut accused = Vec::new();
            for (name, _, mut detector) in DetectorConfig::all() {
                if let DetectorConfig::Reconstruct(settings) = &mut detector {
                    (settings.examples, settings.steps) = (experiment.examples, experiment.steps);
                }
                let batch = Batch::new(&planted.inputs, &planted.labels).pictures(SHAPE);
                let found =
                    detector.run(Suspect::new(&view), batch, &mut seed::stream(number, name, 0)).unwrap();
                let hits = found.suspicious.iter().filter(|i| planted.poisoned.contains(i)).count();
                let scores: Vec<f64> = found.scores.iter().map(|score| score.unwrap()).collect();
                println!("  {name}: {:?} {scores:.2?}", found.flagged);
                println!("    {}", found.evidence);
                println!(
                    "    {} suspicious, {hits} of {} poisoned",
                    found.suspicious.len(),
                    planted.poisoned.len()
                );
                accused.extend(found.flagged);
                if share > 0.0 && name != "reconstruct" && found.flagged.is_some() {
                    assert!(
                        hits * 10 >= found.suspicious.len() * 7,
                        "{name}, seed {number}: mostly poisoned"
                    );
                    assert!(
                        hits * 2 >= planted.poisoned.len(),
                        "{name}, seed {number}: half of them or more"
                    );
                }
            }
            match share > 0.0 {
                true => assert!(!accused.is_empty() && accused.iter().all(|c| *c == TARGET), "{accused:?}"),
                false => assert!(accused.is_empty(), "{accused:?}"),
            }
        }
    }
}

/// A model that shows no features and knows nothing.
struct Dumb;

impl Classifier for Dumb {
    fn features(&self) -> usize {
        4
    }

    fn classes(&self) -> usize {
        3
    }

    fn logits(&self, inputs: &[f32]) -> Vec<f32> {
        vec![f32::NAN; inputs.len() / 4 * 3]
    }
}

impl Featured for Dumb {
    fn penultimate(&self, inputs: &[f32]) -> Vec<f32> {
        vec![f32::NAN; inputs.len()]
    }
}

impl Differentiable for Dumb {
    fn pull_back(&self, inputs: &[f32], pull: Pull<'_>) -> Pulled {
        let logits = self.logits(inputs);
        pull(0, &logits);
        Pulled { logits, gradient: vec![f32::NAN; inputs.len()] }
    }
}

#[test]
fn a_model_that_knows_nothing_and_no_examples_at_all_are_not_accused() {
    let (inputs, labels) = (vec![0.5; 400], (0..100).map(|i| i % 3).collect::<Vec<u32>>());
    for (name, _, detector) in DetectorConfig::all() {
        for batch in
            [Batch::new(&inputs, &labels), Batch::new(&inputs[..4], &labels[..1]), Batch::new(&[], &[])]
        {
            let found = detector.run(Suspect::new(&Dumb), batch, &mut seed::stream(1, name, 0)).unwrap();
            assert_eq!((found.flagged, found.scores.len()), (None, 3), "{name}");
            assert!(!found.evidence.is_empty(), "{name}");
        }
    }
}

#[test]
fn what_a_detector_cannot_look_at_is_an_error() {
    let (inputs, labels) = (vec![0.5; 40], vec![1; 10]);
    let run = |detector: &DetectorConfig, inputs: &[f32], labels: &[u32]| {
        let suspect = Suspect::without_features(&Dumb);
        detector.run(suspect, Batch::new(inputs, labels), &mut seed::stream(1, "", 0)).err()
    };
    for (name, _, detector) in DetectorConfig::all() {
        let expected = (name != "reconstruct").then_some(RobustError::Features { detector: name });
        assert_eq!(run(&detector, &inputs, &labels), expected);
    }
    let detector = DetectorConfig::Reconstruct(Reconstruct::default());
    assert_eq!(run(&detector, &inputs, &[3; 10]), Some(RobustError::Class { class: 3, classes: 3 }));
    assert!(matches!(run(&detector, &[1.5; 40], &labels), Some(RobustError::Invalid { example: 0, .. })));
}

#[test]
fn settings_are_read_by_name_and_unknown_ones_refused() {
    for (name, _, detector) in DetectorConfig::all() {
        let json = serde_json::json!({ "name": name });
        assert_eq!(serde_json::from_value::<DetectorConfig>(json).unwrap(), detector);
        let json = serde_json::json!({ "name": name, "colour": 1 });
        assert!(serde_json::from_value::<DetectorConfig>(json).is_err(), "{name}");
    }
    let json =
        serde_json::json!({"trigger": {"name": "patch", "corner": "top-left"}, "target": 7, "share": 0.01});
    let plant: Plant = serde_json::from_value(json).unwrap();
    let patch = Patch { size: 3, corner: Corner::TopLeft, value: 1.0 };
    assert_eq!(plant, Plant { trigger: Trigger::Patch(patch), target: 7, share: 0.01 });
}
