//! Training of a generator against a discriminator.

use std::path::Path;

use burn::tensor::Device;
use crucible_data::{Dataset, Picture, animation};
use crucible_models::generators::Drawing;
use crucible_train::{
    RunFolder, StopReason,
    adversarial::{Pair, PairEvent, PairJob, PairOutcome, PairRecord, train_pair},
    run_folder::name,
};
use serde_json::{Value, json};

use super::{peak_memory, stop_on_interrupt, unix_seconds};
use crate::{
    error::CliError,
    findings,
    gan::{GanConfigFile, GanEnding, GanRecipe, GanRun, open_folder},
    output::{Output, Status},
    progress::Progress,
    recipe::Source,
    run::shape,
};

/// The sheets of all epochs one after the other.
const MOVING: &str = "samples/training.png";
/// Milliseconds that a sheet is seen in it, and the most sheets.
const PACE: u16 = 400;
const MOST: usize = 60;

/// A job that is ready to run: everything checked and loaded, the folder made.
pub(super) struct Sitting {
    recipe: GanRecipe,
    data: Dataset,
    drawing: Drawing,
    pair: Pair,
    folder: RunFolder,
    device: Device,
}

impl Sitting {
    /// A new job in the folder `root`.
    pub(super) fn begin(source: &Source, set: &[String], root: &Path) -> Result<Self, CliError> {
        let checked = source.check_gan(set)?;
        let (recipe, device) = (checked.value, Device::flex());
        let (data, drawing) = recipe.load()?;
        let pair = recipe.pair(drawing, &device)?;
        let folder = RunFolder::create(root, &checked.filled)?;
        GanConfigFile::new(&recipe, drawing, &data).write(&folder)?;
        Ok(Self { recipe, data, drawing, pair, folder, device })
    }

    pub(super) fn resume(path: &Path) -> Result<Self, CliError> {
        let folder = open_folder(path)?;
        let recipe = Source::of_run(&folder)?.check_gan(&[])?.value;
        let (device, (data, drawing)) = (Device::flex(), recipe.load()?);
        let pair = recipe.pair(drawing, &device)?;
        if folder.has(name::CONFIG) {
            GanConfigFile::read(&folder)?.check_data(&folder, &data)?;
        } else {
            GanConfigFile::new(&recipe, drawing, &data).write(&folder)?;
        }
        Ok(Self { recipe, data, drawing, pair, folder, device })
    }

    /// Trains to the end or to Ctrl-C, and writes the report.
    pub(super) fn run(self, output: &Output) -> Result<Status, CliError> {
        let stop = stop_on_interrupt();
        let Self { recipe, data, drawing, pair, folder, device } = self;
        let job = PairJob {
            pair,
            drawing,
            data: &data,
            config: &recipe.gan,
            seed: recipe.seed,
            device: &device,
            folder: &folder,
            stop: &stop,
            clock: &unix_seconds,
        };
        let mut progress = Progress::new(output.is_watched());
        let outcome = train_pair(job, &mut |event| match event {
            PairEvent::Start { step, steps } => {
                output.line(describe(&recipe, &data, &folder));
                progress.start(step, steps);
            }
            PairEvent::Step { step, examples, generator_loss, .. } => {
                progress.step(step, examples, generator_loss);
            }
            PairEvent::Epoch(record) => progress.suspend(|| {
                let samples = folder.path(&sheet(record.epoch));
                output.line(epoch_line(record));
                let mut object = json!(record);
                (object["event"], object["samples"]) = (json!("epoch"), json!(samples));
                output.object(&object);
            }),
            PairEvent::Alarm(alarm) => progress.suspend(|| {
                output.object(&json!({ "event": "warning", "warning": alarm.to_string(), "alarm": alarm }));
                output.line(format!("Warning: {alarm}"));
            }),
            _ => {}
        });
        progress.finish();
        conclude(&recipe, folder, device, outcome?, output)
    }
}

/// Writes the report and says how it ended.
fn conclude(
    recipe: &GanRecipe,
    folder: RunFolder,
    device: Device,
    outcome: PairOutcome,
    output: &Output,
) -> Result<Status, CliError> {
    let root = folder.root().display().to_string();
    let PairOutcome { generator, reason, epochs, steps, seconds } = outcome;
    if reason == StopReason::Interrupted {
        output.object(&json!({ "event": "interrupted", "run": root, "step": steps }));
        output.line(format!(
            "Stopped at step {steps}; everything is saved. Go on with:\n  crucible train --resume {root}"
        ));
        return Ok(Status::Interrupted);
    }
    let config = GanConfigFile::read(&folder)?;
    let run = GanRun { folder, config, generator, device };
    let ending = GanEnding { reason, steps, seconds, peak_memory: peak_memory(), epochs };
    ending.write(&run.folder)?;
    let moving = write_animation(&run.folder, &ending.epochs)?;
    let (sentence, report) = findings::generator::write(&run, recipe, &ending)?;
    let last = ending.epochs.last();
    let samples = last.map_or(Value::Null, |last| json!(run.folder.path(&sheet(last.epoch))));
    output.object(&json!({
        "event": "done", "run": root, "reason": reason, "epochs": ending.epochs.len(), "steps": steps,
        "seconds": seconds, "samples": samples, "animation": moving, "spread": last.map(|last| last.spread),
    }));
    output.line(sentence);
    output.line(format!("Make pictures with:\n  crucible generate {root}"));
    output.line(format!("Report: {}", report.display()));
    Ok(Status::Done)
}

/// The sheet of an epoch in the run folder.
fn sheet(epoch: u64) -> String {
    format!("{}/{epoch:04}.png", name::SAMPLES)
}

/// Puts the sheets of the epochs, or some of many, one after the other. A sheet that someone removed is left out.
fn write_animation(folder: &RunFolder, epochs: &[PairRecord]) -> Result<Option<String>, CliError> {
    let every = epochs.len().div_ceil(MOST).max(1);
    let chosen = epochs.iter().rev().step_by(every).collect::<Vec<_>>();
    let read = |record: &&PairRecord| Picture::from_png(&folder.read(&sheet(record.epoch)).ok()?).ok();
    let frames: Vec<Picture> = chosen.iter().rev().filter_map(read).collect();
    if frames.is_empty() {
        return Ok(None);
    }
    folder.write(MOVING, &animation(&frames, PACE))?;
    Ok(Some(folder.path(MOVING).display().to_string()))
}

fn describe(recipe: &GanRecipe, data: &Dataset, folder: &RunFolder) -> String {
    format!(
        "{}: {} pictures of {}, seed {}, in {}",
        data.name,
        data.train.len(),
        shape(data.train.shape()),
        recipe.seed,
        folder.root().display()
    )
}

/// `Epoch 3/20, Generator loss: 0.8412, Discriminator loss: 1.2031, Told rightly: 64.12%, Spread: 93% of real`
fn epoch_line(record: &PairRecord) -> String {
    let told = record.told.map_or_else(String::new, |told| format!(", Told rightly: {:.2}%", 100.0 * told));
    let penalty = record.penalty.map_or_else(String::new, |penalty| format!(", Penalty: {penalty:.4}"));
    format!(
        "Epoch {}/{}, Generator loss: {:.4}, Discriminator loss: {:.4}{penalty}{told}, Spread: {:.0}% of real",
        record.epoch,
        record.epochs,
        record.generator_loss,
        record.discriminator_loss,
        100.0 * record.spread
    )
}
