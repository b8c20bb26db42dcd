//! Deep Compression: weights are pruned and what is left is trained, shares values, and is coded; any of it.

use std::path::Path;

use crucible_compress::pruning::{Shrunk, prunable};
use crucible_models::weights;
use crucible_train::run_folder::name;
use serde_json::json;

use super::{
    Args,
    files::Small,
    open,
    plan::Plan,
    rounds::{Reached, Rounds, graph, model, place},
    sides,
    training::Training,
};
use crate::{
    commands::train::stop_on_interrupt,
    error::CliError,
    findings::{self, pruning::Pruning},
    output::{Output, Status},
    recipe::{Recipe, Source},
    run::Run,
};

/// The name of the report's section, whose file says that all is done.
const SECTION: &str = "pruning";

pub(super) fn run(args: &Args, path: &Path, output: &Output) -> Result<Status, CliError> {
    let plan = Plan::new(args, path)?;
    let out = args.out(path, "pruned");
    let before = open(path)?;
    let source = Source::of_run(&before.folder)?;
    let recipe = source.check(&[])?.value;
    if plan.prune.as_ref().is_some_and(|prune| prune.epochs > 0) {
        check_privacy(&recipe)?;
    }
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

    let folder = plan.begin(&out, SECTION, &text, &before, &last.architecture)?;
    let (mut network, mut rounds) = (whole.clone(), Vec::new());
    if let Some(prune) = &plan.prune {
        let stop = stop_on_interrupt();
        let (source, config, device) = (&source, &before.config, &before.device);
        let training = Training { source, config, folder: &folder, data: &data, device, stop: &stop, output };
        let all = Rounds { plan: prune, training };
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
pub(super) fn check_privacy(recipe: &Recipe) -> Result<(), CliError> {
    if recipe.train.privacy.is_none() {
        return Ok(());
    }
    Err(CliError::Usage(
        "this run has the guarantee of `train.privacy`, and what training on costs would not be added to it; with \
         --epochs 0 nothing is trained"
            .to_owned(),
    ))
}
