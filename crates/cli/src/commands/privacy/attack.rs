use std::path::{Path, PathBuf};

use crucible_data::{Dataset, Examples};
use crucible_measure::{Roc, argmax};
use crucible_models::Classifier;
use crucible_privacy::{
    PrivacyError,
    membership::{AttackConfig, Evidence, Shadows, confidence},
    shadows::{Plan, Pool},
};
use crucible_train::run_folder::name;
use serde_json::json;

use crate::{
    error::CliError,
    findings::{
        self,
        membership::{Found, Membership, SECTION},
    },
    output::{Output, Status},
    run::Run,
    settings::choose,
    threads,
    view::{self, View},
};

mod shadows;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run folder
    #[arg(required_unless_present = "list")]
    run: Option<PathBuf>,

    /// The attack, or several of them [default: all that the shadow models suffice for]
    #[arg(long = "method", value_name = "NAME")]
    methods: Vec<String>,

    /// How many shadow models to train, an even number: networks like the run's, each on its own random half of the
    /// examples. They are kept in RUN/shadows; with 0, only attacks that need none are made
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(..=10_000))]
    shadows: u32,

    /// Attack N training examples and N others, drawn at random [default: as many as there are of both]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,

    /// List the attacks with what they need, and stop
    #[arg(long)]
    list: bool,
}

/// The attack that is told last where nobody names one.
const STRONGEST: &str = "lira-online";

pub(super) fn run(args: &Args, output: &Output) -> Result<Status, CliError> {
    let Some(path) = args.run.as_deref().filter(|_| !args.list) else {
        list(output);
        return Ok(Status::Done);
    };
    let attacks = chosen(args)?;
    threads::start(None)?;
    let run = Run::open(path)?;
    let checked = run.checked()?;
    let recipe = &checked.value;
    let data = run.data(recipe)?;
    let view = View::new(&run, &data.train)?;
    let Some(test) = &data.test else {
        return Err(CliError::Usage(
            "members are told from examples that the run was not trained on, but its data have no test split; set \
             `data.test` in the recipe and train a new run"
                .to_owned(),
        ));
    };
    let shadows = if attacks.iter().any(needs_shadows) { args.shadows as usize } else { 0 };
    // The pool is the same however many there are.
    let sizes = [data.train.len(), test.len()];
    let text = String::from_utf8_lossy(&run.folder.read(name::RECIPE)?).into_owned();
    let plan = Plan::new(shadows.max(2), recipe.seed, sizes, text)?;
    if shadows > 0 {
        shadows::settle(&run, &plan)?;
        let left = shadows::train(&run, &checked, &data, &plan, output)?;
        if left > 0 {
            interrupted(path, args, left, output);
            return Ok(Status::Interrupted);
        }
    }

    let asked = Asked::new(&plan, args.count, &data, test, &view);
    let found = asked.attack(&run, shadows, &attacks, args.methods.is_empty())?;
    let membership = Membership {
        found,
        members: &asked.pool.members,
        train: &data.train,
        others: asked.pool.others.len(),
        shadows,
        side: plan.side(),
        format: &run.config.format.input,
        classes: &view.classes,
        unscored: !view::is_classifying(&run.config.loss),
    };
    findings::keep(&run.folder, SECTION, &membership.section())?;
    let report = findings::refresh(&run, recipe, &data)?;
    let section = run.folder.path(&findings::kept(SECTION));
    for found in &membership.found {
        output.object(&membership.object(found, &section, report.as_deref()));
    }
    output.line(membership.text());
    if let Some(report) = report {
        output.line(format!("Report: {}", report.display()));
    }
    Ok(Status::Done)
}

fn needs_shadows(attack: &AttackConfig) -> bool {
    shadows_for(attack) > 0
}

/// The shadow models that an attack needs, of which each example is in half.
fn shadows_for(attack: &AttackConfig) -> usize {
    let needs = attack.attack().needs();
    2 * needs.inside.max(needs.outside)
}

/// The attacks that are asked for, or all that there are shadow models for.
fn chosen(args: &Args) -> Result<Vec<AttackConfig>, CliError> {
    let all = AttackConfig::all();
    let shadows = args.shadows as usize;
    if !shadows.is_multiple_of(2) {
        return Err(PrivacyError::Halves(shadows).into());
    }
    let suffice = |attack: &AttackConfig| shadows_for(attack) <= shadows;
    if args.methods.is_empty() {
        return Ok(all.into_iter().map(|(_, _, attack)| attack).filter(suffice).collect());
    }
    let mut chosen = Vec::new();
    for method in &args.methods {
        let attack = choose("membership attack", &all, method, &[])?;
        if !suffice(&attack) {
            return Err(CliError::Usage(format!(
                "{method} needs at least {} shadow models, and `--shadows` is {shadows}",
                shadows_for(&attack)
            )));
        }
        if !chosen.contains(&attack) {
            chosen.push(attack);
        }
    }
    Ok(chosen)
}

/// What the networks are asked: examples that the run was trained on, then as many others.
struct Asked<'a> {
    view: &'a View,
    /// All examples that shadow models are trained on; members before others.
    plan: &'a Plan,
    /// The ones that are asked about.
    pool: Pool,
    /// `[n, features]` in people's units.
    inputs: Vec<f32>,
    /// `[n]`.
    labels: Vec<u32>,
}

impl<'a> Asked<'a> {
    fn new(plan: &'a Plan, count: Option<u32>, data: &Dataset, test: &Examples, view: &'a View) -> Self {
        let mut pool = plan.pool();
        let count = count.map_or(plan.side(), |count| count as usize);
        pool.members.truncate(count);
        pool.others.truncate(count);
        let sides = [(&data.train, &pool.members), (test, &pool.others)];
        let inputs = sides.map(|(examples, indices)| view::inputs(examples, indices.iter().copied()));
        let labels = sides.map(|(examples, indices)| {
            let classes = examples.classes().expect("a classifier's examples have classes");
            indices.iter().map(|&index| classes[index]).collect::<Vec<u32>>()
        });
        Self { view, plan, pool, inputs: inputs.concat(), labels: labels.concat() }
    }

    /// How confident a network is of each example's class, and whether it answers with it.
    fn answers(&self, view: &View) -> (Vec<f64>, Vec<bool>) {
        let logits = view.model.logits(&self.inputs);
        let rows = logits.chunks_exact(view.model.classes()).zip(&self.labels);
        rows.map(|(row, &label)| {
            let exact: Vec<f64> = row.iter().map(|&logit| f64::from(logit)).collect();
            (confidence(&exact, label as usize), argmax(row) == label as usize)
        })
        .unzip()
    }

    /// Which of the examples each shadow model was trained on, `[shadows, n]`.
    fn memberships(&self, shadows: usize) -> Vec<bool> {
        let (halves, side) = (self.plan.halves(), self.plan.side());
        let rows = halves.chunks_exact(2 * side).take(shadows);
        rows.flat_map(|row| {
            let (members, others) = row.split_at(side);
            members[..self.pool.members.len()].iter().chain(&others[..self.pool.others.len()])
        })
        .copied()
        .collect()
    }

    /// Makes the attacks, the strongest one last: the usual one by `default`, else the one that tells most.
    fn attack(
        &self,
        run: &Run,
        shadows: usize,
        attacks: &[AttackConfig],
        default: bool,
    ) -> Result<Vec<Found>, CliError> {
        let (target, right) = self.answers(self.view);
        let mut scores = Vec::new();
        for number in 0..shadows {
            scores.extend(self.answers(&self.view.of(&shadows::network(run, number)?, run)).0);
        }
        let members = self.memberships(shadows);
        let shadow_models = Shadows { scores: &scores, members: &members };
        let evidence = Evidence { target: &target, right: &right, shadows: shadow_models, population: None };
        let mut found = Vec::new();
        for attack in attacks {
            let mut scores = attack.run(evidence)?;
            let others = scores.split_off(self.pool.members.len());
            let roc = Roc::new(&scores, &others).expect("scores are numbers, and there are some of both");
            let shadows = if needs_shadows(attack) { shadows } else { 0 };
            found.push(Found { attack: attack.name(), about: about(attack), roc, scores, shadows });
        }
        found.sort_by(|a, b| {
            let usual = |found: &Found| default && found.attack == STRONGEST;
            usual(a).cmp(&usual(b)).then(a.roc.auc().total_cmp(&b.roc.auc()))
        });
        Ok(found)
    }
}

fn about(attack: &AttackConfig) -> &'static str {
    let all = AttackConfig::all();
    all.iter().find(|(name, _, _)| *name == attack.name()).map_or("", |(_, about, _)| about)
}

fn interrupted(path: &Path, args: &Args, left: usize, output: &Output) {
    let (count, run) = (args.shadows as usize, path.display().to_string());
    let done = count - left;
    output.object(&json!({ "event": "interrupted", "run": run, "shadows": count, "shadows_done": done }));
    let methods: String = args.methods.iter().map(|method| format!(" --method {method}")).collect();
    let limit = args.count.map_or_else(String::new, |count| format!(" --count {count}"));
    output.line(format!(
        "Stopped with {done} of {count} shadow models trained; everything is saved. Go on with:\n  crucible privacy attack \
         {run}{methods} --shadows {count}{limit}"
    ));
}

fn list(output: &Output) {
    for (name, about, attack) in AttackConfig::all() {
        let shadows = shadows_for(&attack);
        output.object(&json!({ "name": name, "about": about, "shadows": shadows }));
        let needs = match shadows {
            0 => "needs no shadow model".to_owned(),
            shadows => format!("needs at least {shadows} shadow models"),
        };
        output.line(format!("{name:<16} {about}\n                 {needs}"));
    }
}
