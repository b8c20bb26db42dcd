mod generator;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use burn::tensor::Device;
use crucible_compress::{Archive, Compressed};
use crucible_data::Dataset;
use crucible_recipe::Checked;
use crucible_train::{EpochRecord, Event, Job, Outcome, RunFolder, StopReason, run_folder::name, train};
use serde::Serialize;
use serde_json::json;

use super::{
    compress::{PLAN, START},
    privacy::audit::CANARIES,
};
use crate::{
    error::CliError,
    findings::{
        self, Ending, Guarantee, Summary,
        transfer::{SECTION, Transferred},
    },
    gan,
    output::{Output, Status},
    progress::Progress,
    recipe::{Recipe, SHIPPED, Source},
    rule::doubts,
    run::{Run, RunConfig, open_folder},
    texts::keep_tokenizer,
    threads,
    transfer::{Probed, Start, start},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A recipe file, or the name of a shipped recipe [default: mnist-mlp]
    recipe: Option<String>,

    /// The run folder to make [default: runs/NAME-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Go on with a run that was stopped
    #[arg(long, value_name = "RUN", conflicts_with_all = ["recipe", "out", "set"])]
    resume: Option<PathBuf>,

    /// Override a key of the recipe, such as train.epochs=3
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    threads::start(None)?;
    if let Some(path) = args.resume.as_ref().filter(|path| gan::holds_generator(path)) {
        return generator::Sitting::resume(path)?.run(output);
    }
    let sitting = match &args.resume {
        Some(path) => Sitting::resume(path)?,
        None => {
            let source = Source::find(args.recipe.as_deref())?;
            let root = args.out.unwrap_or_else(|| free_folder(Path::new("runs"), &source.stem));
            if source.is_gan() {
                return generator::Sitting::begin(&source, &args.set, &root)?.run(output);
            }
            Sitting::create(&source, &args.set, &root)?
        }
    };
    Ok(sitting.run(output)?.status)
}

/// Trains a recipe with overrides, in the folder `out` or in one named after it.
pub(super) fn train_recipe(
    recipe: &str,
    set: &[String],
    out: Option<&Path>,
    output: &Output,
) -> Result<Trained, CliError> {
    threads::start(None)?;
    Sitting::begin(Some(recipe), set, out)?.run(output)
}

/// How training ended.
pub(super) struct Trained {
    pub(super) status: Status,
    pub(super) folder: RunFolder,
    /// What the report says; none where training was interrupted.
    pub(super) summary: Option<Summary>,
}

/// A job that is ready to run: everything checked and loaded, the folder made.
pub(super) struct Sitting {
    pub(super) recipe: Recipe,
    pub(super) data: Dataset,
    pub(super) config: RunConfig,
    pub(super) start: Start,
    pub(super) folder: RunFolder,
    pub(super) device: Device,
}

impl Sitting {
    fn begin(recipe: Option<&str>, set: &[String], out: Option<&Path>) -> Result<Self, CliError> {
        let source = Source::find(recipe)?;
        let root = match out {
            Some(root) => root.to_owned(),
            None => free_folder(Path::new("runs"), &source.stem),
        };
        Self::create(&source, set, &root)
    }

    /// A new job in the folder `root`.
    pub(super) fn create(source: &Source, set: &[String], root: &Path) -> Result<Self, CliError> {
        let checked = source.check(set)?;
        let device = Device::flex();
        let (data, config, start) = prepare(&checked, &device)?;
        let folder = RunFolder::create(root, &checked.filled)?;
        config.write(&folder)?;
        keep_tokenizer(&checked.value.data, &folder)?;
        Ok(Self { recipe: checked.value, data, config, start, folder, device })
    }

    pub(super) fn resume(path: &Path) -> Result<Self, CliError> {
        let folder = open_folder(path)?;
        if folder.has(CANARIES) {
            let problem = "it is an audit's; go on with it by `crucible privacy audit`".to_owned();
            return Err(CliError::NoRun { path: path.to_owned(), problem });
        }
        if folder.has(PLAN) || folder.has(START) {
            let problem = "its network was pruned, or is being; `crucible compress` with the words that it was begun with \
                           goes on with that";
            return Err(CliError::NoRun { path: path.to_owned(), problem: problem.to_owned() });
        }
        if folder.has(name::MODEL) && Archive::is_one(&folder.read(name::MODEL)?) {
            let problem =
                "its network is compressed, and cannot be trained on; train the run that it was made from";
            return Err(CliError::NoRun { path: path.to_owned(), problem: problem.to_owned() });
        }
        let checked = Source::of_run(&folder)?.check(&[])?;
        let device = Device::flex();
        let (data, config, start) = prepare(&checked, &device)?;
        if folder.has(name::CONFIG) {
            RunConfig::read(&folder)?.check_data(&folder, &data)?;
        } else {
            config.write(&folder)?;
        }
        keep_tokenizer(&checked.value.data, &folder)?;
        Ok(Self { recipe: checked.value, data, config, start, folder, device })
    }

    /// Trains to the end or to Ctrl-C, and writes the report.
    fn run(mut self, output: &Output) -> Result<Trained, CliError> {
        let stop = stop_on_interrupt();
        let outcome = self.train(&stop, output)?;
        self.conclude(outcome, output)
    }

    /// Trains to the end or to a stop, and tells of it.
    pub(super) fn train(&mut self, stop: &AtomicBool, output: &Output) -> Result<Outcome, CliError> {
        let job = Job {
            network: self.start.network.clone(),
            data: self.start.features.as_ref().unwrap_or(&self.data),
            config: &self.recipe.train,
            rule: &mut *self.start.rule,
            seed: self.recipe.seed,
            device: &self.device,
            folder: &self.folder,
            stop,
            clock: &unix_seconds,
        };
        let mut progress = Progress::new(output.is_watched());
        let outcome = train(job, &mut |event| match event {
            Event::Start { step, steps } => {
                output.line(describe(&self.recipe, &self.data, &self.folder));
                for doubt in doubts(&self.recipe, &self.data) {
                    output.object(&json!({ "event": "warning", "warning": doubt }));
                    output.line(format!("Warning: {doubt}"));
                }
                progress.start(step, steps);
            }
            Event::Step { step, examples, loss } => progress.step(step, examples, loss),
            Event::Epoch(record) => progress.suspend(|| {
                output.line(epoch_line(record));
                output.object(&EpochObject { event: "epoch", record });
            }),
            _ => {}
        });
        progress.finish();
        Ok(outcome?)
    }

    /// Writes the report and says how it ended.
    pub(super) fn conclude(self, outcome: Outcome, output: &Output) -> Result<Trained, CliError> {
        let root = self.folder.root().display().to_string();
        let Outcome { network, reason, epochs, best_epoch, steps, seconds } = outcome;
        let peak_memory = peak_memory();
        if reason == StopReason::Interrupted {
            output.object(&json!({ "event": "interrupted", "run": root, "step": steps }));
            output.line(format!(
                "Stopped at step {steps}; everything is saved. Go on with:\n  crucible train --resume {root}"
            ));
            return Ok(Trained { status: Status::Interrupted, folder: self.folder, summary: None });
        }
        let network = Compressed::floats(network);
        let run = Run { folder: self.folder, config: self.config, network, device: self.device };
        let ending = Ending { reason, best_epoch, steps, seconds, epochs, peak_memory };
        ending.write(&run.folder)?;
        let transferred =
            self.recipe.transfer.as_ref().map(|settings| (settings, Transferred::measure(settings, &run)));
        if let Some((settings, transferred)) = &transferred {
            findings::keep(&run.folder, SECTION, &transferred.section(settings))?;
        }
        let summary = findings::write(&run, &self.recipe, &self.data, &ending)?;
        let unmet = self.recipe.train.until.is_some() && reason != StopReason::TargetMet;
        output.object(&json!({
            "event": "done", "run": root, "reason": reason, "epochs": ending.epochs.len(), "steps": steps,
            "test_accuracy": summary.accuracy, "test_accuracy_interval": summary.interval,
            "test_loss": summary.loss, "seconds": seconds, "target_met": self.recipe.train.until.is_some().then_some(!unmet),
            "epsilon": summary.guarantee.as_ref().map(Guarantee::epsilon), "delta": summary.guarantee.as_ref().map(Guarantee::delta),
            "trainable": transferred.as_ref().map(|(_, found)| found.parameters.trainable),
            "total": transferred.as_ref().map(|(_, found)| found.parameters.total),
            "private": summary.guarantee.as_ref().map(Guarantee::is_private),
        }));
        output.line(last_words(&ending, unmet));
        output.line(&summary.sentence);
        if let Some((_, transferred)) = &transferred {
            output.line(transferred.sentence());
        }
        output.line(format!("Report: {}", run.folder.path("report.html").display()));
        let status = if unmet { Status::NotMet } else { Status::Done };
        Ok(Trained { status, folder: run.folder, summary: Some(summary) })
    }
}

#[derive(Serialize)]
struct EpochObject<'a> {
    event: &'static str,
    #[serde(flatten)]
    record: &'a EpochRecord,
}

/// What a job needs.
type Prepared = (Dataset, RunConfig, Start);

/// Loads the data, checks that recipe and data fit each other, and builds the network, before anything is written.
fn prepare(checked: &Checked<Recipe>, device: &Device) -> Result<Prepared, CliError> {
    let recipe = &checked.value;
    let mut data = recipe.load()?;
    if let Some(transfer) = &recipe.transfer {
        data = transfer.scaled(data)?;
    }
    Job::check(&recipe.train, &data)?;
    let config = RunConfig::new(recipe, &data)?;
    let start = start(recipe, &checked.places, &config, recipe.seed, &data, Probed::Features, device)?;
    Ok((data, config, start))
}

fn describe(recipe: &Recipe, data: &Dataset, folder: &RunFolder) -> String {
    let counts: Vec<String> =
        data.splits().map(|(name, examples)| format!("{} {name}", examples.len())).collect();
    let poisoned = match data.train.poisoned().len() {
        0 => String::new(),
        count => format!(", {count} of them poisoned on purpose"),
    };
    format!(
        "{}: {} examples{poisoned}, seed {}, in {}",
        data.name,
        counts.join(", "),
        recipe.seed,
        folder.root().display()
    )
}

/// `Epoch 3/10, Loss: 0.1409, Test accuracy: 95.61%`
fn epoch_line(record: &EpochRecord) -> String {
    let mut line = format!("Epoch {}/{}, Loss: {:.4}", record.epoch, record.epochs, record.loss);
    let splits = [
        ("Validation", record.validation_loss, record.validation_accuracy),
        ("Test", record.test_loss, record.test_accuracy),
    ];
    for (split, loss, accuracy) in splits {
        match (accuracy, loss) {
            (Some(accuracy), _) => line += &format!(", {split} accuracy: {:.2}%", accuracy * 100.0),
            (None, Some(loss)) => line += &format!(", {split} loss: {loss:.4}"),
            (None, None) => {}
        }
    }
    line
}

fn last_words(ending: &Ending, unmet: bool) -> String {
    let done = ending.epochs.len();
    match ending.reason {
        StopReason::TargetMet => format!("The target was met after epoch {done}."),
        StopReason::EarlyStopped => {
            let best = ending.best_epoch.unwrap_or(0);
            format!("Stopped early after epoch {done}; the weights are those of epoch {best}, the best.")
        }
        StopReason::BudgetSpent => {
            format!(
                "Stopped in epoch {done}: another step would have cost more privacy than the recipe allows."
            )
        }
        _ if unmet => format!("The target was NOT met in {done} epochs."),
        _ => format!("Done after {done} epochs."),
    }
}

/// The first of `NAME-1`, `NAME-2`, … that does not exist.
pub(super) fn free_folder(parent: &Path, stem: &str) -> PathBuf {
    let stem = if stem.is_empty() { SHIPPED[0].name } else { stem };
    let mut names = (1u64..).map(|number| parent.join(format!("{stem}-{number}")));
    names.find(|path| !path.exists()).expect("numbers do not run out")
}

/// Seconds since the epoch of Unix.
pub(super) fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The most memory that the process ever held, in bytes, where the system tells (Linux).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Ctrl-C once: finish the step and save. Twice: stop at once; what was saved is whole anyway.
pub(super) fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Without a handler Ctrl-C ends the program at once, which loses no more than the steps since the last checkpoint.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    stop
}
