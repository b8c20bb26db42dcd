//! Shadow models through the trainer: each on its own half, the same however they are trained, stopped and gone on with.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use crucible_data::{Column, Dataset, Examples, Format, InputFormat, Inputs, Targets, Task, seed};
use crucible_models::{Architecture, InputShape, Network};
use crucible_privacy::{
    PrivacyError,
    shadows::{MARK, Plan, Start, Training},
};
use crucible_train::{Ordinary, PlainLoss, RunFolder, TrainConfig, TrainError, run_folder::name};
use serde_json::{Value, json};
use tempfile::TempDir;

const SHADOWS: usize = 4;

/// `first..first + count` as inputs, each of the class that its last bit names.
fn examples(first: u32, count: u32) -> Examples {
    let values = (first..first + count).map(|i| i as f32 / 100.0).collect();
    let classes = (first..first + count).map(|i| i % 2).collect();
    Examples::new(vec![1], Inputs::Floats(values), Targets::Classes(classes))
}

/// 30 examples to train on, 0 to 29, and 20 others, 100 to 119.
fn data(validation: bool) -> Dataset {
    let columns = vec![Column::Numeric { name: "x".to_owned(), mean: 0.0, std: 1.0, fill: 0.0 }];
    let input = InputFormat::Table { columns, missing: Vec::new(), delimiter: ',' };
    let task = Task::Classification { classes: ["even", "odd"].map(str::to_owned).to_vec() };
    Dataset {
        name: "table".to_owned(),
        format: Format { input, task },
        train: examples(0, 30),
        validation: validation.then(|| examples(200, 5)),
        test: Some(examples(100, 20)),
    }
}

fn network(seed: u64) -> Network {
    let architecture: Architecture = serde_json::from_value(json!({"name": "mlp", "hidden": [4]})).unwrap();
    let shape = InputShape::Features { count: 1 };
    architecture.init(shape, 2, &mut seed::stream(seed, "weights", 0), &Device::flex()).unwrap()
}

#[derive(Debug)]
#[expect(dead_code, reason = "what is in them is shown where a test fails")]
enum Failed {
    Train(TrainError),
    Privacy(PrivacyError),
    Refused(usize),
}

impl From<TrainError> for Failed {
    fn from(error: TrainError) -> Self {
        Self::Train(error)
    }
}

impl From<PrivacyError> for Failed {
    fn from(error: PrivacyError) -> Self {
        Self::Privacy(error)
    }
}

/// What a shadow was given: its examples, its seed, and those that it is tested on.
type Given = (Vec<u32>, u64, Option<Vec<u32>>);

struct Place {
    run: RunFolder,
    data: Dataset,
    config: TrainConfig,
    plan: Plan,
    stop: AtomicBool,
    given: Mutex<Vec<Given>>,
    told: Mutex<Vec<(usize, f64)>>,
    _parent: TempDir,
}

/// The inputs as the numbers that they were made of.
fn numbers(examples: &Examples) -> Vec<u32> {
    let Inputs::Floats(values) = examples.inputs() else { panic!("a table") };
    values.iter().map(|value| (value * 100.0).round() as u32).collect()
}

impl Place {
    fn new(config: Value, validation: bool) -> Self {
        let parent = tempfile::tempdir().unwrap();
        Self {
            run: RunFolder::create(&parent.path().join("run"), "a = 1").unwrap(),
            data: data(validation),
            config: serde_json::from_value(config).unwrap(),
            plan: Plan::new(SHADOWS, 7, [30, 20], "a = 1".to_owned()).unwrap(),
            stop: AtomicBool::new(false),
            given: Mutex::default(),
            told: Mutex::default(),
            _parent: parent,
        }
    }

    fn train(&self, at_a_time: usize, stop_at: f64, refuse_after: usize) -> Result<usize, Failed> {
        let training = Training {
            plan: &self.plan,
            data: &self.data,
            config: &self.config,
            device: &Device::flex(),
            run: &self.run,
            stop: &self.stop,
            clock: &|| 0.0,
        };
        let start = |data: &Dataset, seed: u64, folder: &RunFolder| {
            let mut given = self.given.lock().unwrap();
            if given.len() == refuse_after {
                return Err(Failed::Refused(refuse_after));
            }
            assert!(folder.has(name::RECIPE));
            given.push((numbers(&data.train), seed, data.test.as_ref().map(numbers)));
            Ok(Start { network: network(seed), rule: Box::new(Ordinary::new(PlainLoss)) })
        };
        training.run(at_a_time, &start, &|number, share| {
            self.told.lock().unwrap().push((number, share));
            if share >= stop_at && share < 1.0 {
                self.stop.store(true, Ordering::Relaxed);
            }
        })
    }

    fn models(&self) -> BTreeMap<usize, Vec<u8>> {
        let read = |number| {
            let path = self.run.path(&Plan::place(number)).join(name::MODEL);
            std::fs::read(path).ok().map(|bytes| (number, bytes))
        };
        (0..SHADOWS).filter_map(read).collect()
    }
}

fn job() -> Value {
    json!({"epochs": 6, "batch_size": 4})
}

#[test]
fn each_shadow_is_trained_on_its_half_with_its_own_seed() {
    let place = Place::new(job(), false);
    assert_eq!(place.train(1, 2.0, usize::MAX).unwrap(), 0);
    let given = place.given.lock().unwrap();
    let (pool, halves) = (place.plan.pool(), place.plan.halves());
    let all: Vec<u32> =
        pool.members.iter().map(|i| *i as u32).chain(pool.others.iter().map(|i| 100 + *i as u32)).collect();
    assert_eq!(all.len(), 40);
    for (number, (inside, seed, test)) in given.iter().enumerate() {
        let row = &halves[number * 40..][..40];
        let expected: Vec<u32> = all.iter().zip(row).filter(|(_, half)| **half).map(|(i, _)| *i).collect();
        assert_eq!((inside, *seed, test), (&expected, place.plan.seed_of(number), &None));
        let folder = RunFolder::open(&place.run.path(&Plan::place(number))).unwrap();
        let recipe = String::from_utf8(folder.read(name::RECIPE).unwrap()).unwrap();
        assert!(recipe.starts_with(MARK) && recipe.ends_with("\na = 1"), "{recipe}");
        assert!(!folder.has(name::LAST) && !folder.has(name::BEST), "nothing is left to go on with");
        let told = place.told.lock().unwrap();
        let shares: Vec<f64> = told.iter().filter(|(n, _)| *n == number).map(|(_, share)| *share).collect();
        assert!(
            shares.is_sorted() && shares.iter().filter(|share| **share == 1.0).count() == 1,
            "{shares:?}"
        );
    }
    let models = place.models();
    assert!((1..SHADOWS).all(|number| models[&number] != models[&0]));
}

#[test]
fn what_a_shadow_is_not_trained_on_is_its_test_split_where_a_target_needs_one() {
    let until = json!({"epochs": 2, "until": {"accuracy": 0.0}});
    let place = Place::new(until.clone(), false);
    place.train(1, 2.0, usize::MAX).unwrap();
    for (inside, _, outside) in &*place.given.lock().unwrap() {
        let mut both = [inside.clone(), outside.clone().unwrap()].concat();
        both.sort_unstable();
        both.dedup();
        assert_eq!(both.len(), 40);
    }
    // The target is met at once: one epoch, by the log.
    let log = std::fs::read_to_string(place.run.path("shadows/0/metrics.jsonl")).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("epoch")).count(), 1, "{log}");
    let place = Place::new(until, true);
    place.train(1, 2.0, usize::MAX).unwrap();
    assert!(place.given.lock().unwrap().iter().all(|(_, _, outside)| outside.is_none()));
}

#[test]
fn neither_threads_nor_a_stop_change_a_bit_and_nothing_is_trained_twice() {
    let whole = Place::new(job(), false);
    assert_eq!(whole.train(1, 2.0, usize::MAX).unwrap(), 0);
    let side_by_side = Place::new(job(), false);
    assert_eq!(side_by_side.train(3, 2.0, usize::MAX).unwrap(), 0);
    assert!(side_by_side.models() == whole.models());

    let stopped = Place::new(job(), false);
    assert_eq!(stopped.train(1, 0.5, usize::MAX).unwrap(), SHADOWS);
    assert!(stopped.run.has("shadows/0/checkpoints/last.safetensors"));
    assert_eq!(stopped.given.lock().unwrap().len(), 1, "no other is begun after a stop");
    stopped.stop.store(false, Ordering::Relaxed);
    let told = stopped.told.lock().unwrap().len();
    assert_eq!(stopped.train(2, 2.0, usize::MAX).unwrap(), 0);
    let first = stopped.told.lock().unwrap()[told..].iter().find(|(number, _)| *number == 0).copied();
    assert!(first.unwrap().1 > 0.5, "it goes on where it was: {first:?}");
    assert!(stopped.models() == whole.models());
    assert_eq!(stopped.train(2, 2.0, 0).unwrap(), 0, "nothing is begun anew");
}

#[test]
fn a_shadow_that_fails_stops_the_others_and_tells_why() {
    let place = Place::new(job(), false);
    let failed = place.train(1, 2.0, 2);
    assert!(matches!(failed, Err(Failed::Refused(2))), "{failed:?}");
    assert_eq!(place.models().len(), 2, "what was done stays");
    assert!(place.stop.load(Ordering::Relaxed));
}
