//! Deep Compression: weights are pruned and what is left is trained, shares values, and is coded; any of it.

use std::path::Path;

use crucible_compress::pruning::{Shrunk, prunable};
use crucible_models::weights;
use crucible_train::{RunFolder, run_folder::name};
use serde_json::json;

use super::{
    Args,
    files::Small,
    open,
    plan::{PLAN, Plan},
    rounds::{Reached, Rounds, graph, model, place},
    sides,
};
use crate::{
    commands::train::stop_on_interrupt,
    error::CliError,
    findings::{self, Ending, pruning::Pruning},
    output::{Output, Status},
    recipe::{Recipe, Source},
    run::{Run, RunConfig, parse},
};

/// The name of the report's section, whose file says that all is done.
const SECTION: &str = "pruning";

pub(super) fn run(args: &Args, path: &Path, output: &Output) -> Result<Status, CliError> {
    let plan = Plan::new(args, path)?;
    let out = args.out(path, "pruned");
    let before = open(path)?;
    let source = Source::read(&before.folder.path(name::RECIPE))?;
    let recipe = source.check(&[])?.value;
    check_privacy(&recipe, &plan)?;
    let data = before.data(&recipe)?;
    let whole = Shrunk {
        architecture: before.config.architecture.clone(),
        state: weights::collect(before.network.network()),
    };
    // What cannot be done is said before anything is written.
    let first = graph(&before.config, &whole, &before.device)?;
    let mut last = whole.clone();
    if let Some(prune) = &plan.prune {
        last = prune.step(&whole, &first, prune.rounds)?;
        source.check(&prune.overrides())?;
    }
    let text = match last.architecture == whole.architecture {
        true => source.text.clone(),
        false => source.check(&[model(&last)])?.filled,
    };

    let folder = begin(&out, &plan, &text, &before, &last)?;
    let (mut network, mut rounds) = (whole.clone(), Vec::new());
    if let Some(prune) = &plan.prune {
        let stop = stop_on_interrupt();
        let (source, config, device) = (&source, &before.config, &before.device);
        let all =
            Rounds { plan: prune, source, config, folder: &folder, data: &data, device, stop: &stop, output };
        match all.run(network)? {
            Reached::End(end, done) => (network, rounds) = (end, done),
            Reached::Stop { round, step } => {
                let object = json!({ "event": "interrupted", "run": out, "round": round, "step": step });
                output.object(&object);
                output.line(format!(
                    "Stopped at step {step} of round {round}; everything is saved. Go on with the same command."
                ));
                return Ok(Status::Interrupted);
            }
        }
    }
    let Small { bytes, stages, layers } = Small::new(&whole, network, &prunable(&first), &plan);
    folder.write(name::MODEL, &bytes)?;
    let after = Run::open(&out)?;
    let found = Pruning {
        source: path,
        how: plan.describe(),
        sides: sides(&before, &after, &data, args.batch as usize)?,
        rounds: &rounds,
        stages: &stages,
        layers: &layers,
    };
    findings::keep(&folder, SECTION, &found.section())?;
    let report = findings::refresh(&after, &after.recipe()?, &data)?;
    for round in (1..).take(rounds.len()) {
        // Best effort: what is left over does no harm.
        let _ = std::fs::remove_dir_all(folder.path(&place(round)));
    }
    output.object(&found.object(&out, report.as_deref()));
    output.line(found.text(&out));
    Ok(Status::Done)
}

/// Refuses to train on what has a guarantee.
fn check_privacy(recipe: &Recipe, plan: &Plan) -> Result<(), CliError> {
    let trains = plan.prune.as_ref().is_some_and(|prune| prune.epochs > 0);
    if recipe.train.privacy.is_none() || !trains {
        return Ok(());
    }
    Err(CliError::Usage(
        "this run has the guarantee of `train.privacy`, and what training on costs would not be added to it; with \
         --epochs 0 nothing is trained"
            .to_owned(),
    ))
}

/// The folder of the new run, made, or gone on with where the same was asked for and is not done.
fn begin(out: &Path, plan: &Plan, text: &str, before: &Run, last: &Shrunk) -> Result<RunFolder, CliError> {
    let begun = RunFolder::open(out).ok().filter(|folder| folder.has(PLAN));
    let folder = match begun.filter(|folder| !folder.has(&findings::kept(SECTION))) {
        Some(folder) => {
            let begun: Plan = parse(&folder, PLAN)?;
            if begun != *plan {
                return Err(CliError::Usage(format!(
                    "{} was begun with other words: {}; go on with those, or choose another --out",
                    out.display(),
                    begun.describe()
                )));
            }
            folder
        }
        None => RunFolder::create(out, text)?,
    };
    folder.write(PLAN, &serde_json::to_vec_pretty(plan).expect("plain data"))?;
    RunConfig { architecture: last.architecture.clone(), ..before.config.clone() }.write(&folder)?;
    if let Ok(ending) = Ending::read(&before.folder) {
        ending.write(&folder)?;
    }
    Ok(folder)
}
