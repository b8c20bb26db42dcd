//! Small data sets and runs in temporary folders.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use crucible_data::{Column, Dataset, Examples, Format, InputFormat, Inputs, Targets, Task, seed};
use crucible_models::{Architecture, InputShape, Network};
use crucible_train::{Event, Job, Ordinary, Outcome, PlainLoss, RunFolder, TrainConfig, TrainError, train};
use serde_json::Value;
use tempfile::TempDir;

/// Rows of a table with `features` columns.
pub(crate) fn rows(features: usize, values: Vec<f32>, targets: Targets) -> Examples {
    Examples::new(vec![features], Inputs::Floats(values), targets)
}

pub(crate) fn classification(classes: usize) -> Task {
    Task::Classification { classes: (0..classes).map(|class| class.to_string()).collect() }
}

pub(crate) fn table(train: Examples, validation: Option<Examples>, task: Task) -> Dataset {
    let column = |i| Column::Numeric { name: format!("x{i}"), mean: 0.0, std: 1.0, fill: 0.0 };
    let columns = (0..train.input_len()).map(column).collect();
    let input = InputFormat::Table { columns, missing: Vec::new(), delimiter: ',' };
    Dataset { name: "table".to_owned(), format: Format { input, task }, train, validation, test: None }
}

/// A network with weights drawn from seed 1, for the data and the loss.
pub(crate) fn network(architecture: &Value, data: &Dataset, config: &TrainConfig) -> Network {
    let architecture: Architecture = serde_json::from_value(architecture.clone()).unwrap();
    let input = match *data.train.shape() {
        [channels, height, width] => InputShape::Image { channels, height, width },
        _ => InputShape::Features { count: data.train.input_len() },
    };
    let outputs = config.loss.loss().outputs(&data.format.task).unwrap();
    architecture.init(input, outputs, &mut seed::stream(1, "init", 0), &Device::flex()).unwrap()
}

/// The `[train]` table, as a recipe would give it.
pub(crate) fn config(value: Value) -> TrainConfig {
    serde_json::from_value(value).unwrap()
}

/// A run in a temporary folder that goes when this value goes.
pub(crate) struct Run {
    pub(crate) folder: RunFolder,
    pub(crate) stop: AtomicBool,
    /// Seconds between two looks at the clock.
    pub(crate) tick: f64,
    now: Cell<f64>,
    _parent: TempDir,
}

impl Run {
    pub(crate) fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&parent.path().join("run"), "seed = 7\n").unwrap();
        Self { folder, stop: AtomicBool::new(false), tick: 0.0, now: Cell::new(1000.0), _parent: parent }
    }

    /// Starts or continues the job; `observe` may set the flag that it is given to stop.
    pub(crate) fn train_watched(
        &self,
        network: Network,
        data: &Dataset,
        config: &TrainConfig,
        mut observe: impl FnMut(&Event<'_>, &AtomicBool),
    ) -> Result<Outcome, TrainError> {
        self.stop.store(false, Ordering::Relaxed);
        let (device, stop) = (&Device::flex(), &self.stop);
        let clock = &|| self.now.replace(self.now.get() + self.tick);
        let rule = &mut Ordinary::new(PlainLoss);
        let job = Job { network, data, config, rule, seed: 7, device, folder: &self.folder, stop, clock };
        train(job, &mut |event| observe(&event, stop))
    }

    pub(crate) fn train(
        &self,
        network: Network,
        data: &Dataset,
        config: &TrainConfig,
    ) -> Result<Outcome, TrainError> {
        self.train_watched(network, data, config, |_, _| {})
    }
}
