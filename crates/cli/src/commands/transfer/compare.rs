use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crucible_data::Source;
use crucible_measure::{Interval, mean_interval};
use crucible_train::transfer::Mode;
use crucible_train::{RunFolder, StopReason};
use serde_json::json;

use crate::{
    commands::{
        export,
        train::{Sitting, free_folder, stop_on_interrupt},
    },
    error::CliError,
    findings::{
        CONFIDENCE, Ending, REPORT,
        comparison::{Comparison, Way},
    },
    output::{Output, Status},
    recipe::{self, Recipe},
    run::Run,
    threads,
    transfer::Transfer,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A recipe file with a table `[transfer]`, or the name of a shipped one
    recipe: String,

    /// Modes to compare, the recipe's own with its settings [default: scratch, probe, lora, full and the recipe's]
    #[arg(long, value_name = "MODES", value_delimiter = ',')]
    modes: Vec<String>,

    /// Training examples of each class, such as 1,10,100: a learning curve [default: what the recipe says]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..))]
    per_class: Vec<u64>,

    /// Repetitions, with seeds that follow the recipe's
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,

    /// The folder of all runs and the report; the same one again goes on with it [default: runs/NAME-compare-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Override a key of the recipe, such as train.epochs=3
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// One run of the comparison.
struct Cell {
    accuracy: f64,
    trainable: usize,
    total: usize,
    seconds: f64,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Status, CliError> {
    threads::start(None)?;
    let source = recipe::Source::find(Some(&args.recipe))?;
    let recipe = source.check(&args.set)?.value;
    let missing = || CliError::Usage(format!("{} has no table `[transfer]` to compare by", source.file_name));
    let transfer = recipe.transfer.clone().ok_or_else(missing)?;
    let modes = modes(args, &transfer)?;
    let counts: Vec<Option<u64>> = match args.per_class.as_slice() {
        [] => vec![recipe.data.per_class.map(|count| count as u64)],
        counts => counts.iter().copied().map(Some).collect(),
    };
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| free_folder(Path::new("runs"), &format!("{}-compare", source.stem)));
    let stop = stop_on_interrupt();
    let mut ways = Vec::new();
    for mode in &modes {
        for count in &counts {
            let mut cells = Vec::new();
            for seed in recipe.seed..recipe.seed + args.seeds {
                let place = out.join(name(mode, *count, seed));
                let set = [&args.set[..], &overrides(&transfer, mode, *count, seed)].concat();
                let Some(cell) = cell(&source, &set, &place, &stop)? else {
                    output.object(&json!({ "event": "interrupted", "out": out }));
                    output.line(format!("Stopped; go on with --out {}", out.display()));
                    return Ok(Status::Interrupted);
                };
                cells.push(cell);
            }
            let way = summed(mode, *count, &cells);
            output.line(way.line());
            output.object(&json!({ "event": "way", "way": way }));
            ways.push(way);
        }
    }
    let own = recipe.data.per_class.map(|count| count as u64);
    let shown = if counts.contains(&own) { own } else { counts.last().copied().flatten() };
    let comparison =
        Comparison { recipe: &source.stem, transfer: &transfer, ways: &ways, seeds: args.seeds, shown };
    let report = out.join(REPORT);
    export::write(&report, comparison.html().as_bytes())?;
    output.line(format!("Report: {}", report.display()));
    for way in ways.iter().filter(|way| way.per_class == shown) {
        output.object(way);
    }
    Ok(Status::Done)
}

/// The modes to compare; the recipe's own has its settings.
fn modes(args: &Args, transfer: &Transfer) -> Result<Vec<Mode>, CliError> {
    let own = &transfer.mode;
    let with_settings = |mode: Mode| if mode.name() == own.name() { own.clone() } else { mode };
    let all: Vec<Mode> = Mode::all().into_iter().map(with_settings).collect();
    if args.modes.is_empty() {
        let usual = |mode: &Mode| ["scratch", "probe", "lora", "full"].contains(&mode.name()) || mode == own;
        return Ok(all.into_iter().filter(usual).collect());
    }
    let named = |name: &String| {
        let known = || all.iter().map(Mode::name).collect::<Vec<_>>().join(", ");
        let found = all.iter().find(|mode| mode.name() == name).cloned();
        found.ok_or_else(|| CliError::Usage(format!("there is no mode `{name}`; there are: {}", known())))
    };
    args.modes.iter().map(named).collect()
}

fn name(mode: &Mode, count: Option<u64>, seed: u64) -> String {
    let count = count.map_or_else(|| "all".to_owned(), |count| count.to_string());
    format!("{}-{count}-seed-{seed}", mode.name())
}

/// What the recipe of a run changes.
fn overrides(transfer: &Transfer, mode: &Mode, count: Option<u64>, seed: u64) -> Vec<String> {
    let table =
        serde_json::to_value(Transfer { mode: mode.clone(), ..transfer.clone() }).expect("plain data");
    let pairs = table.as_object().into_iter().flatten();
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key} = {value}")).collect();
    let mut overrides = vec![format!("transfer={{ {} }}", pairs.join(", ")), format!("seed={seed}")];
    overrides.extend(count.map(|count| format!("data.per_class={count}")));
    overrides
}

/// Trains one run, or reads it where it is done; none where it was stopped.
fn cell(
    source: &recipe::Source,
    set: &[String],
    place: &Path,
    stop: &AtomicBool,
) -> Result<Option<Cell>, CliError> {
    let quiet = Output::new(false, true);
    let done = RunFolder::open(place).ok().and_then(|folder| Ending::read(&folder).ok());
    if done.is_none() {
        let mut sitting = match place.exists() {
            true => Sitting::resume(place)?,
            false => Sitting::create(source, set, place)?,
        };
        let outcome = sitting.train(stop, &quiet)?;
        if outcome.reason == StopReason::Interrupted {
            return Ok(None);
        }
        sitting.conclude(outcome, &quiet)?;
    }
    let run = Run::open(place)?;
    let (ending, recipe) = (Ending::read(&run.folder)?, run.recipe()?);
    check_same(&recipe, &source.check(set)?.value, place)?;
    let last = ending.epochs.last().and_then(|epoch| epoch.test_accuracy.or(epoch.validation_accuracy));
    let nothing = || CliError::Usage("there are no held-out examples with classes to compare by".to_owned());
    let features = run.config.input_shape().features();
    let transfer = recipe.transfer.as_ref().expect("written with one");
    let parameters = transfer.parameters(run.network.network(), features, &run.device);
    Ok(Some(Cell {
        accuracy: last.ok_or_else(nothing)?,
        trainable: parameters.trainable,
        total: parameters.total,
        seconds: ending.seconds,
    }))
}

/// Refuses a run that an earlier comparison made with other words.
fn check_same(found: &Recipe, wanted: &Recipe, place: &Path) -> Result<(), CliError> {
    let (mut found, mut wanted) = (found.clone(), wanted.clone());
    for recipe in [&mut found, &mut wanted] {
        if let Source::Texts(texts) = &mut recipe.data.source {
            // A run has its own copy.
            texts.tokenizer = None;
        }
    }
    if found == wanted {
        return Ok(());
    }
    Err(CliError::Usage(format!("{} was trained by another recipe; choose another --out", place.display())))
}

fn summed(mode: &Mode, per_class: Option<u64>, cells: &[Cell]) -> Way {
    let accuracies: Vec<f64> = cells.iter().map(|cell| cell.accuracy).collect();
    let (accuracy, interval) = mean_interval(&accuracies, CONFIDENCE).expect("at least one seed");
    Way {
        mode: mode.name(),
        per_class,
        accuracy,
        interval: interval.map(|Interval { low, high }| [low, high]),
        accuracies,
        trainable: cells[0].trainable,
        total: cells[0].total,
        seconds: cells.iter().map(|cell| cell.seconds).sum::<f64>() / cells.len() as f64,
    }
}
