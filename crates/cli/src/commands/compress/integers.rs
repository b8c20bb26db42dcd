//! Integers in the place of floats.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crucible_compress::{
    ActivationFormat, Archive, Compressed, Formats, Prepared, QuantizationAware, QuantizeConfig, Raise,
    STEPS, WeightFormat, calibration::CalibrationConfig, pruning::Shrunk, raises, sensitivity, until_good,
    within_size,
};
use crucible_data::{Dataset, Examples, seed};
use crucible_models::weights;
use crucible_train::{RunFolder, TrainError, UpdateRule, evaluate, run_folder::name};
use rand::seq::SliceRandom;
use serde_json::json;

use super::{
    Args, open,
    plan::{Budget, Integers, Plan, learning_rate, overrides},
    prune::check_privacy,
    sides,
    training::{Start, Trained, Training},
};
use crate::{
    commands::train::stop_on_interrupt,
    error::CliError,
    findings::{
        self, Ending,
        compression::{Compression, Retrained},
    },
    output::{Output, Status},
    recipe::{Recipe, Source},
    run::Run,
    settings::choose,
};

/// The name of the report's section.
const SECTION: &str = "compression";

/// The folder of training, in the new run's.
const PLACE: &str = "compress/training";

pub(super) fn run(args: &Args, path: &Path, output: &Output) -> Result<Status, CliError> {
    let plan = args.integers()?;
    let out = args.out(path, if args.int4 { "int4" } else { "int8" });
    let before = open(path)?;
    let recipe = before.recipe()?;
    let data = before.data(&recipe)?;
    let sample = calibration_sample(&data.train, plan.examples as usize, recipe.seed);
    let inputs = inputs(&data.train, &sample);
    let (network, features) = (before.network.network(), before.config.input_shape().features());
    let mut prepared = Prepared::new(network, &inputs, features, &plan.config, &before.device)?;
    if let Some(budget) = plan.budget {
        let judged = data.validation.clone().unwrap_or_else(|| {
            data.train.select(&sample.iter().map(|index| *index as usize).collect::<Vec<_>>())
        });
        let formats = mixed(&before, &prepared, &plan.config, budget, &inputs, &judged)?;
        prepared = prepared.with_formats(formats);
    }
    let prepared = Arc::new(prepared);
    let layers = sensitivity(&prepared, prepared.formats(), &inputs, &before.device)?;

    let mut trained = None;
    if plan.epochs == 0 {
        write(&before, &prepared.archive(prepared.formats())?, &out)?;
    } else {
        let (before, recipe, data) = (&before, &recipe, &data);
        let job = Job { plan: Plan::integers(plan.clone(), path)?, integers: &plan, before, recipe, data };
        match train(&job, &prepared, &out, output)? {
            Ok(retrained) => trained = Some(retrained),
            Err(step) => {
                output.object(&json!({ "event": "interrupted", "run": out, "step": step }));
                output.line(format!(
                    "Stopped at step {step}; everything is saved. Go on with the same command."
                ));
                return Ok(Status::Interrupted);
            }
        }
    }
    let after = Run::open(&out)?;
    let found = Compression {
        config: &plan.config,
        formats: prepared.formats(),
        source: path,
        path: after.network.program().map(|program| program.path().name()),
        trained,
        sides: sides(&before, &after, &data, args.batch as usize)?,
        layers: &layers,
    };
    findings::keep(&after.folder, SECTION, &found.section())?;
    let report = findings::refresh(&after, &recipe, &data)?;
    // Best effort: what is left over does no harm.
    let _ = std::fs::remove_dir_all(after.folder.path(PLACE));
    output.object(&found.object(&out, report.as_deref()));
    output.line(found.text(&out));
    Ok(Status::Done)
}

impl Args {
    fn integers(&self) -> Result<Integers, CliError> {
        let calibration = choose("calibration", &CalibrationConfig::all(), &self.calibration, &self.set)?;
        let groups = |bits| WeightFormat::Groups { bits, group: self.group as usize };
        let (weights, activations) = match (self.int4, self.weights_only, self.dynamic) {
            (true, ..) => (groups(4), ActivationFormat::Float),
            (_, true, _) => (groups(8), ActivationFormat::Float),
            (.., true) => (WeightFormat::Channels, ActivationFormat::Dynamic),
            _ => (WeightFormat::Channels, ActivationFormat::Static { calibration }),
        };
        let config = QuantizeConfig {
            weights,
            activations,
            equalize: self.equalize,
            correct_biases: !self.no_bias_correction,
            layers: BTreeMap::new(),
            keep: self.keep.clone(),
        };
        let budget = match (self.max_size, self.max_drop) {
            (Some(size), _) if !(size > 0.0 && size <= 1.0) => {
                let problem = format!("--max-size {size}: a share of the floats' file lies between 0 and 1");
                return Err(CliError::Usage(problem));
            }
            (_, Some(drop)) if !(0.0..=100.0).contains(&drop) => {
                let problem = format!("--max-drop {drop}: points of accuracy lie between 0 and 100");
                return Err(CliError::Usage(problem));
            }
            (size, drop) => size.map(Budget::Size).or(drop.map(Budget::Drop)),
        };
        let (epochs, lr) = (self.epochs.unwrap_or(0), learning_rate(self)?);
        if epochs == 0 && lr.is_some() {
            return Err(CliError::Usage("--lr without --epochs: nothing is trained".to_owned()));
        }
        Ok(Integers { config, examples: self.examples, budget, epochs, lr })
    }
}

/// Some training examples, drawn from the seed.
pub(crate) fn calibration_sample(examples: &Examples, count: usize, seed: u64) -> Vec<u32> {
    let mut indices: Vec<u32> = (0..examples.len() as u32).collect();
    indices.shuffle(&mut seed::stream(seed, "calibration", 0));
    indices.truncate(count);
    indices
}

/// Examples as the network reads them.
pub(crate) fn inputs(examples: &Examples, indices: &[u32]) -> Vec<f32> {
    let mut inputs = Vec::new();
    examples.gather(indices, &mut inputs);
    inputs
}

/// The integers of each layer under a budget; where it is one of accuracy, that on `judged`.
fn mixed(
    before: &Run,
    prepared: &Prepared,
    config: &QuantizeConfig,
    budget: Budget,
    inputs: &[f32],
    judged: &Examples,
) -> Result<Formats, CliError> {
    // From four bits over eight to floats.
    let ladder: Vec<WeightFormat> = match config.weights {
        WeightFormat::Groups { bits: 4, group } => vec![WeightFormat::Groups { bits: 8, group }],
        _ => Vec::new(),
    };
    let raises: Vec<Raise> = raises(prepared, &ladder, inputs, &before.device)?;
    let task = &before.config.format.task;
    let accuracy = |network: &Compressed| {
        let evaluation = evaluate(network, judged, before.config.loss.loss(), task, &before.device);
        evaluation
            .accuracy
            .ok_or_else(|| CliError::Usage("--max-drop is for classes; --max-size is not".to_owned()))
    };
    match budget {
        Budget::Size(share) => {
            let bytes = before.folder.read(name::MODEL)?.len() as f64 * share;
            Ok(within_size(prepared, &raises, bytes as usize)?)
        }
        Budget::Drop(points) => {
            let least = accuracy(&before.network)? - points / 100.0;
            until_good(prepared, &raises, |archive| {
                let (network, features) =
                    (before.config.fresh_network(0, &before.device)?, before.config.input_shape().features());
                let network = Compressed::open(archive, network, features, &before.device)
                    .map_err(|source| CliError::Archive { path: before.folder.path(name::MODEL), source })?;
                Ok(accuracy(&network)? >= least)
            })
        }
    }
}

/// A new run of the compressed network. The folder appears whole or not at all.
fn write(before: &Run, archive: &Archive, out: &Path) -> Result<(), CliError> {
    let recipe = before.folder.read(name::RECIPE)?;
    let folder = RunFolder::create(out, &String::from_utf8_lossy(&recipe))?;
    before.config.write(&folder)?;
    if let Ok(ending) = Ending::read(&before.folder) {
        ending.write(&folder)?;
    }
    Ok(folder.write(name::MODEL, &archive.to_bytes())?)
}

/// What training with integers starts from.
struct Job<'a> {
    plan: Plan,
    integers: &'a Integers,
    before: &'a Run,
    recipe: &'a Recipe,
    data: &'a Dataset,
}

/// Trains a network with its integers, to the end or to the step that it was stopped at.
fn train(
    job: &Job<'_>,
    prepared: &Arc<Prepared>,
    out: &Path,
    output: &Output,
) -> Result<Result<Retrained, u64>, CliError> {
    let Job { plan, integers, before, recipe, data } = job;
    check_privacy(recipe)?;
    let other = recipe.defence.as_ref().map(|_| "defence").or(recipe.distill.as_ref().map(|_| "distill"));
    if let Some(table) = other {
        return Err(CliError::Usage(format!(
            "this run was trained with `[{table}]`, which training with integers does not know; without --epochs \
             nothing is trained"
        )));
    }
    let source = Source::of_run(&before.folder)?;
    let overrides = overrides(integers.epochs, integers.lr);
    source.check(&overrides)?;
    let architecture = &before.config.architecture;
    let folder = plan.begin(out, SECTION, &source.text, before, architecture)?;
    let stop = stop_on_interrupt();
    let (config, device) = (&before.config, &before.device);
    let training = Training { source: &source, config, folder: &folder, data, device, stop: &stop, output };
    let state = weights::collect(prepared.network());
    let start = Shrunk { architecture: architecture.clone(), state };
    let aware = |_: Start<'_>| -> Result<Box<dyn UpdateRule>, CliError> {
        Ok(Box::new(QuantizationAware::new(prepared.clone(), device)?))
    };
    let (ending, state, place) = match training.run(PLACE, &overrides, 1, &start, aware)? {
        Trained::End { ending, state, folder } => (ending, state, folder),
        Trained::Stop { step } => return Ok(Err(step)),
    };
    let fail = |source| TrainError::Weights { path: place.path(STEPS), source };
    let (steps, _) = weights::from_safetensors(&place.read(STEPS)?, "format").map_err(fail)?;
    folder.write(name::MODEL, &prepared.trained(state, &steps)?.to_bytes())?;
    let loss = ending.epochs.last().map(|epoch| epoch.loss);
    Ok(Ok(Retrained { epochs: ending.epochs.len(), loss, seconds: ending.seconds }))
}
