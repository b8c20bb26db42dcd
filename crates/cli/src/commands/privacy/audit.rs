use std::path::{Path, PathBuf};

use crucible_data::{Dataset, Task, seed};
use crucible_models::Classifier;
use crucible_privacy::{
    Ledger, PrivacyError,
    accountants::pld,
    audit::{Canary, Guesses, canaries, one_run, secret_coins, with_canaries},
    membership::confidence,
};
use crucible_train::{RunFolder, StopReason, TrainError, run_folder::name};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    commands::train::{Sitting, stop_on_interrupt},
    error::CliError,
    findings::{
        self,
        audit::{Audit, Claim},
    },
    output::{Output, Status},
    recipe::{Recipe, Source},
    run::{Run, RunConfig, open_folder, parse},
    texts::keep_tokenizer,
    threads,
    transfer::{Probed, start},
    view::{self, View},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,

    /// Training examples that are given a wrong label, and left in or out by the toss of a coin
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..))]
    canaries: u32,

    /// Guesses, fixed beforehand: half of them that a canary was left in, half that one was left out
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..))]
    guesses: u32,

    /// The probability that the bound is right
    #[arg(long, default_value_t = 0.95, allow_negative_numbers = true)]
    confidence: f64,

    /// The folder of the audited run [default: RUN/audit]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The canaries and their coins, in the audited run's folder.
pub(in crate::commands) const CANARIES: &str = "canaries.json";

/// Raised whenever the file of canaries changes its meaning.
const VERSION: u32 = 1;

/// δ of the bound where the run claims none.
const DELTA: f64 = 1e-5;

/// What an audit is fixed by before anything is seen of its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    canaries: usize,
    guesses: usize,
    confidence: f64,
}

/// `canaries.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tossed {
    version: u32,
    settings: Settings,
    canaries: Vec<Canary>,
}

pub(super) fn run(args: &Args, output: &Output) -> Result<Status, CliError> {
    threads::start(None)?;
    let run = Run::open(&args.run)?;
    let Task::Classification { classes } = &run.config.format.task else {
        return Err(CliError::Usage(
            "this run predicts numbers; an audit gives examples a wrong label, which takes classes"
                .to_owned(),
        ));
    };
    let source = Source::of_run(&run.folder)?;
    let checked = source.check(&[])?;
    let recipe = checked.value;
    let data = run.data(&recipe)?;
    let settings = Settings {
        canaries: args.canaries as usize,
        guesses: args.guesses as usize,
        confidence: args.confidence,
    };
    let delta = recipe.train.privacy.as_ref().map_or(DELTA, |privacy| privacy.delta);
    let ceiling = check(settings, delta, &data)?;

    let root = args.out.clone().unwrap_or_else(|| run.folder.path("audit"));
    let folder = open(&root, &source.text)?;
    let canaries = tossed(&folder, settings, &recipe, &data, classes.len())?;
    let mut audited = data.clone();
    audited.train = with_canaries(&data.train, &canaries);
    let config = RunConfig::new(&recipe, &audited)?;
    if !folder.has(name::CONFIG) {
        config.write(&folder)?;
    }
    keep_tokenizer(&recipe.data, &folder)?;
    let start = start(&recipe, &checked.places, &config, recipe.seed, &audited, Probed::Inputs, &run.device)?;
    let seen = Seen { view: &View::new(&run, &data.train)?, data: &data, canaries: &canaries };
    let before = seen.confidences(&seen.view.of(&start.rule.kept(start.network.clone()), &run));

    let device = run.device.clone();
    let mut sitting = Sitting { recipe, data: audited, config, start, folder, device };
    let outcome = sitting.train(&stop_on_interrupt(), output)?;
    let Sitting { recipe, folder, .. } = sitting;
    if outcome.reason == StopReason::Interrupted {
        let step = outcome.steps;
        output.object(&json!({ "event": "interrupted", "run": root.display().to_string(), "step": step }));
        output.line(format!(
            "Stopped at step {step}; everything is saved. Go on with the same command:\n  {}",
            command(args)
        ));
        return Ok(Status::Interrupted);
    }
    let after = seen.confidences(&seen.view.of(&outcome.network, &run));
    let scores: Vec<f64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
    let members: Vec<bool> = canaries.iter().map(|canary| canary.member).collect();
    let guesses = Guesses::by_rank(&scores, &members, settings.guesses)?;
    let claim = claim(&folder)?;
    let result = Audit {
        guesses,
        bound: one_run(guesses, delta, settings.confidence)?,
        ceiling,
        claim,
        delta,
        confidence: settings.confidence,
        scores,
        members,
        folder: root.display().to_string(),
    };
    findings::keep(&run.folder, Audit::NAME, &result.section())?;
    let report = findings::refresh(&run, &recipe, &data)?;
    output.object(&result.object(&run.folder.path(&findings::kept(Audit::NAME)), report.as_deref()));
    output.line(result.text());
    if let Some(report) = report {
        output.line(format!("Report: {}", report.display()));
    }
    Ok(if result.passed() == Some(false) { Status::NotMet } else { Status::Done })
}

/// Refuses an audit that cannot be made; else the highest bound that it can find.
fn check(settings: Settings, delta: f64, data: &Dataset) -> Result<f64, CliError> {
    let Settings { canaries, guesses, confidence } = settings;
    if canaries > data.train.len() {
        return Err(CliError::Usage(format!(
            "{canaries} canaries are more than the {} training examples; take fewer with --canaries",
            data.train.len()
        )));
    }
    if guesses % 2 == 1 || guesses > canaries {
        return Err(PrivacyError::Sides { canaries, made: guesses }.into());
    }
    let (canaries, guesses) = (canaries as u64, guesses as u64);
    Ok(one_run(Guesses::new(canaries, guesses, guesses)?, delta, confidence)?)
}

/// The folder of the audited run, which trains the recipe of this text: a new one, or one that was begun.
fn open(root: &Path, recipe: &str) -> Result<RunFolder, CliError> {
    if !root.join(name::RECIPE).exists() {
        return Ok(RunFolder::create(root, recipe)?);
    }
    let folder = open_folder(root)?;
    let refuse = |problem: &str| CliError::Usage(format!("{} {problem}", root.display()));
    if !folder.has(CANARIES) && folder.has(name::CONFIG) {
        return Err(refuse("holds a run that is no audit; give another folder with --out"));
    }
    if folder.read(name::RECIPE)? != recipe.as_bytes() {
        return Err(refuse(
            "audits another recipe than the run's; remove it, or give another folder with --out",
        ));
    }
    Ok(folder)
}

/// The canaries that were drawn when the audit began, or now.
fn tossed(
    folder: &RunFolder,
    settings: Settings,
    recipe: &Recipe,
    data: &Dataset,
    classes: usize,
) -> Result<Vec<Canary>, CliError> {
    if !folder.has(CANARIES) {
        let (mut draws, count) = (seed::stream(recipe.seed, "canaries", 0), settings.canaries);
        let secret = recipe.train.privacy.as_ref().is_some_and(|privacy| !privacy.seeded);
        let canaries = if secret {
            let fail = |error| CliError::Usage(format!("the system has no random numbers to give: {error}"));
            canaries(&data.train, classes, count, &mut draws, &mut secret_coins().map_err(fail)?)
        } else {
            canaries(&data.train, classes, count, &mut draws, &mut seed::stream(recipe.seed, "coins", 0))
        };
        let tossed = Tossed { version: VERSION, settings, canaries };
        folder.write(CANARIES, &serde_json::to_vec(&tossed).expect("plain data"))?;
        return Ok(tossed.canaries);
    }
    let tossed: Tossed = parse(folder, CANARIES)?;
    let damaged = |problem| TrainError::Damaged { path: folder.path(CANARIES), problem };
    if tossed.version != VERSION {
        let problem = format!("its version is {}, and this program reads {VERSION}", tossed.version);
        return Err(damaged(problem).into());
    }
    if tossed.settings != settings {
        let Settings { canaries, guesses, confidence } = tossed.settings;
        return Err(CliError::Usage(format!(
            "{} was begun with --canaries {canaries} --guesses {guesses} --confidence {confidence}, and what is chosen after \
             the outcome was seen proves nothing; give these, or another folder with --out",
            folder.root().display()
        )));
    }
    let own = data.train.classes().unwrap_or_default();
    let whole = |canary: &Canary| {
        (canary.label as usize) < classes && own.get(canary.example).is_some_and(|own| *own != canary.label)
    };
    if tossed.canaries.len() != settings.canaries || !tossed.canaries.iter().all(whole) {
        return Err(damaged("its canaries do not fit the training examples".to_owned()).into());
    }
    Ok(tossed.canaries)
}

/// What training is said to keep, by the audited run's own ledger.
fn claim(folder: &RunFolder) -> Result<Option<Claim>, CliError> {
    let Some(ledger) = Ledger::read(folder)? else { return Ok(None) };
    let epsilon = pld(&ledger.phases()?, ledger.delta)?.upper;
    Ok(Some(Claim { epsilon, is_private: ledger.is_private() }))
}

/// The canaries as networks see them.
struct Seen<'a> {
    view: &'a View,
    data: &'a Dataset,
    canaries: &'a [Canary],
}

impl Seen<'_> {
    /// How sure a network is of each canary's wrong label.
    fn confidences(&self, view: &View) -> Vec<f64> {
        let inputs = view::inputs(&self.data.train, self.canaries.iter().map(|canary| canary.example));
        let logits = view.model.logits(&inputs);
        let rows = logits.chunks_exact(view.model.classes()).zip(self.canaries);
        let row = |row: &[f32]| row.iter().map(|logit| f64::from(*logit)).collect::<Vec<_>>();
        rows.map(|(logits, canary)| confidence(&row(logits), canary.label as usize)).collect()
    }
}

/// The command that goes on with this audit.
fn command(args: &Args) -> String {
    let out = args.out.as_ref().map_or_else(String::new, |out| format!(" --out {}", out.display()));
    format!(
        "crucible privacy audit {} --canaries {} --guesses {} --confidence {}{out}",
        args.run.display(),
        args.canaries,
        args.guesses,
        args.confidence
    )
}
