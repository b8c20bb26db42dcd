use std::path::PathBuf;
use std::time::Instant;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use crucible_data::{Examples, seed};
use crucible_measure::Proportion;
use crucible_robust::{Adversarial, AttackConfig, Batch, Norm, Point, Threat, Victim, by_class, curve};
use serde_json::json;

use crate::{
    error::CliError,
    findings::{self, robustness},
    output::{Output, Status},
    run::Run,
    settings::{choose, settings},
    texts, threads,
    view::{self, View},
};

mod detect;
mod poison;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,

    /// The run folder
    #[arg(required_unless_present = "list")]
    run: Option<PathBuf>,

    /// The attack
    #[arg(long, default_value = "auto")]
    method: String,

    /// How a change is measured: its largest value, its Euclidean length, or the sum of its values
    #[arg(long, value_parser = norm(), default_value = "linf")]
    norm: Norm,

    /// The largest change; for pictures in units where 0 is black and 1 is white
    #[arg(long, default_value_t = 0.3, allow_negative_numbers = true)]
    eps: f32,

    /// Attack the first N test examples [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,

    /// Also say of each example whether it is fooled
    #[arg(long)]
    each: bool,

    /// Also at a quarter, a half and three quarters of the radius
    #[arg(long)]
    curve: bool,

    /// Look for the inputs on another run's network, and try them on this one
    #[arg(long, value_name = "RUN")]
    from: Option<PathBuf>,

    /// The seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Override a setting of the attack, such as steps=100
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// List the attacks with their settings, and stop
    #[arg(long)]
    list: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Train a recipe on data with a backdoor in them, for research on one's own data
    Poison(poison::Args),
    /// Look for a backdoor in a run's network and in the data that it was trained on
    Detect(detect::Args),
}

/// Reads a norm by its name.
fn norm() -> impl TypedValueParser<Value = Norm> {
    let find =
        |name: String| Norm::ALL.into_iter().find(|norm| norm.name() == name).expect("one of the names");
    PossibleValuesParser::new(Norm::ALL.map(Norm::name)).map(find)
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    match &args.action {
        None => attack(&args, output),
        Some(Action::Poison(args)) => poison::run(args, output),
        Some(Action::Detect(args)) => detect::run(args, output),
    }
}

fn attack(args: &Args, output: &Output) -> Result<Status, CliError> {
    let Some(path) = args.run.as_deref().filter(|_| !args.list) else {
        list(output);
        return Ok(Status::Done);
    };
    let config = choose("attack", &AttackConfig::all(), &args.method, &args.set)?;
    threads::start(None)?;
    let run = Run::open(path)?;
    texts::refuse(&run, "an attack changes inputs a little")?;
    let recipe = run.recipe()?;
    let data = run.data(&recipe)?;
    let (split, examples) = data.splits().last().expect("the training split is always there");
    let view = View::new(&run, &data.train)?;
    let count = args.count.map_or(examples.len(), |count| (count as usize).min(examples.len()));
    let threat = Threat::new(args.norm, args.eps, view.range)?;
    let inputs = valid_inputs(examples, count, view.range);
    let batch = view::batch(examples, &inputs);
    let attacked = Attacked { view: &view, batch, threat, config: &config, seed: args.seed };

    let clean = attacked.clean();
    let start = Instant::now();
    let mut found = match &args.from {
        None => attacked.run()?,
        Some(from) => attacked.transfer(&Run::open(from)?, &data.train)?,
    };
    let seconds = start.elapsed().as_secs_f64();
    let mut curve = Vec::new();
    if args.curve && args.from.is_none() {
        for point in attacked.below()? {
            curve.push((point.eps, point.robust()));
            // What fools the network within a smaller ball does so here.
            found.fooled.iter_mut().zip(&point.fooled).for_each(|(here, below)| *here |= below);
        }
        curve.push((threat.eps(), found.robust()));
    }
    if args.each {
        for (index, (fooled, label)) in found.fooled.iter().zip(batch.labels).enumerate() {
            output.object(&json!({ "index": index, "label": label, "fooled": fooled }));
            output.line(format!("{index}: {}fooled, class {label}", if *fooled { "" } else { "not " }));
        }
    }
    let classes = view.classes.iter().cloned().zip(by_class(&found.fooled, batch.labels, view.classes.len()));
    let result = robustness::Robustness {
        method: config.name(),
        settings: settings(&config),
        from: args.from.as_ref().map(|path| path.display().to_string()),
        threat,
        split,
        clean,
        robust: found.robust(),
        classes: classes.collect(),
        warnings: found.warnings.iter().map(ToString::to_string).collect(),
        curve,
        forwards: found.forwards,
        backwards: found.backwards,
        seconds,
    };
    let name = result.name();
    let sheet = robustness::sheet(&found, examples, batch, &view);
    findings::keep(&run.folder, &name, &result.section(sheet))?;
    let report = findings::refresh(&run, &recipe, &data)?;
    output.object(&result.object(&run.folder.path(&findings::kept(&name)), report.as_deref()));
    output.line(result.text());
    if let Some(report) = report {
        output.line(format!("Report: {}", report.display()));
    }
    Ok(Status::Done)
}

/// Inputs that lie in the valid range; those of a table are cut to it where the split reaches further than the training
/// split did.
pub(crate) fn valid_inputs(examples: &Examples, count: usize, [low, high]: [f32; 2]) -> Vec<f32> {
    let mut inputs = view::inputs(examples, 0..count);
    inputs.iter_mut().for_each(|value| *value = value.clamp(low, high));
    inputs
}

struct Attacked<'a> {
    view: &'a View,
    batch: Batch<'a>,
    threat: Threat,
    config: &'a AttackConfig,
    seed: u64,
}

impl Attacked<'_> {
    /// How many the network gets right without an attack: within a ball of radius 0.
    fn clean(&self) -> Proportion {
        let answers = self.view.answers(self.batch.inputs);
        let right = answers.iter().zip(self.batch.labels).filter(|(answer, label)| answer == label).count();
        Proportion { successes: right as u64, trials: self.batch.len() as u64 }
    }

    fn run(&self) -> Result<Adversarial, CliError> {
        let mut rng = seed::stream(self.seed, "attack", 0);
        Ok(self.config.run(Victim::WhiteBox(&self.view.model), self.batch, &self.threat, &mut rng)?)
    }

    /// At a quarter, a half and three quarters of the radius.
    fn below(&self) -> Result<Vec<Point>, CliError> {
        let eps = [0.25, 0.5, 0.75].map(|share| share * self.threat.eps());
        let mut rng = seed::stream(self.seed, "attack", 1);
        let victim = Victim::WhiteBox(&self.view.model);
        Ok(curve(self.config, victim, self.batch, &self.threat, &eps, &mut rng)?)
    }

    fn transfer(&self, from: &Run, train: &Examples) -> Result<Adversarial, CliError> {
        let other = View::new(from, train)?;
        let mut rng = seed::stream(self.seed, "attack", 0);
        let (from, to) = (Victim::WhiteBox(&other.model), Victim::WhiteBox(&self.view.model));
        Ok(crucible_robust::transfer(from, to, self.config, self.batch, &self.threat, &mut rng)?)
    }
}

fn list(output: &Output) {
    for (name, about, config) in AttackConfig::all() {
        let attack = config.attack();
        let norms: Vec<String> = attack.norms().iter().map(ToString::to_string).collect();
        let settings = settings(&config);
        output.object(&json!({
            "name": name, "about": about, "access": attack.access().to_string(), "norms": norms,
            "settings": settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        }));
        let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        output.line(format!(
            "{name:<12} {about}\n             needs {}; {}; {}",
            attack.access(),
            norms.join(", "),
            settings.join(" ")
        ));
    }
}
