//! The shadow models of a run: trained where they are missing, and asked.

use crucible_data::Dataset;
use crucible_models::Network;
use crucible_privacy::shadows::{Plan, Start, Training, at_a_time, available_memory};
use crucible_recipe::Checked;
use crucible_train::RunFolder;

use crate::{
    commands::train::{stop_on_interrupt, unix_seconds},
    error::CliError,
    output::Output,
    progress::Jobs,
    recipe::Recipe,
    run::Run,
    transfer::{self, Probed},
};

/// Refuses shadow models that were made for another plan, and leaves the plan where there are none.
pub(super) fn settle(run: &Run, plan: &Plan) -> Result<(), CliError> {
    let folder = run.folder.path("shadows");
    let refuse = |problem: String| Err(CliError::Usage(format!("{} {problem}", folder.display())));
    let Some(kept) = Plan::read(&run.folder)? else {
        if run.folder.path(&Plan::place(0)).exists() {
            return refuse(
                "holds shadow models, but no plan.json that says what they were trained on; remove it to train new ones"
                    .to_owned(),
            );
        }
        return Ok(plan.write(&run.folder)?);
    };
    let Some(difference) = kept.difference(plan) else { return Ok(()) };
    let keep = match kept.shadows() == plan.shadows() {
        true => String::new(),
        false => format!("give `--shadows {}`, or ", kept.shadows()),
    };
    refuse(format!("holds shadow models of another plan: {difference}; {keep}remove it to train new ones"))
}

/// Trains the shadow models that are missing; how many still are, where it was interrupted.
pub(super) fn train(
    run: &Run,
    checked: &Checked<Recipe>,
    data: &Dataset,
    plan: &Plan,
    output: &Output,
) -> Result<usize, CliError> {
    let stop = stop_on_interrupt();
    let Checked { value: recipe, places, .. } = checked;
    // Not the run, whose network cannot be shared among threads.
    let (config, device) = (&run.config, &run.device);
    let training = Training {
        plan,
        data,
        config: &recipe.train,
        device,
        run: &run.folder,
        stop: &stop,
        clock: &unix_seconds,
    };
    let missing = training.missing();
    if missing.is_empty() {
        return Ok(0);
    }
    let threads = rayon::current_num_threads().min(missing.len());
    let together = at_a_time(threads, training.bytes_each(run.network.network()), available_memory());
    let count = plan.shadows();
    output.line(format!(
        "Training {} of {count} shadow models in {}, {together} at a time, each on its own half of {} examples",
        missing.len(),
        run.folder.path("shadows").display(),
        2 * plan.side()
    ));
    let jobs = Jobs::new(output.is_watched(), count, &missing);
    let start = |data: &Dataset, seed: u64, folder: &RunFolder| -> Result<Start, CliError> {
        config.write(folder)?;
        let transfer::Start { network, rule, .. } =
            transfer::start(recipe, places, config, seed, data, Probed::Inputs, device)?;
        Ok(Start { network, rule })
    };
    let left = training.run(together, &start, &|number, share| {
        let done = jobs.note(number, share);
        if share >= 1.0 {
            jobs.suspend(|| output.line(format!("{done} of {count} shadow models are trained")));
        }
    });
    jobs.finish();
    left
}

/// The network of a shadow model.
pub(super) fn network(run: &Run, number: usize) -> Result<Network, CliError> {
    let folder = RunFolder::open(&run.folder.path(&Plan::place(number)))?;
    Ok(run.config.trained_network(&folder, &run.device)?.network().clone())
}
