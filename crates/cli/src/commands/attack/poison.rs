use std::path::PathBuf;

use serde_json::json;

use crate::{
    commands::train::{Trained, train_recipe},
    error::CliError,
    findings,
    output::{Output, Status},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A recipe file, or the name of a shipped recipe
    recipe: String,

    /// The class that pictures with the trigger are to be taken for
    #[arg(long, value_name = "NAME")]
    target: String,

    /// The share of the training examples that is poisoned [default: the recipe's, or 0.01]
    #[arg(long)]
    share: Option<f64>,

    /// What is put on pictures [default: the recipe's, or patch]
    #[arg(long, value_name = "NAME")]
    trigger: Option<String>,

    /// Override a key of the recipe, such as train.epochs=3 or poison.trigger.size=4
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// The run folder to make [default: runs/NAME-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, output: &Output) -> Result<Status, CliError> {
    let mut set = vec![format!("poison.target={}", json!(args.target))];
    set.extend(args.share.map(|share| format!("poison.share={share}")));
    set.extend(args.trigger.as_ref().map(|name| format!("poison.trigger={}", json!(name))));
    set.extend_from_slice(&args.set);
    let Trained { status, folder, summary } = train_recipe(&args.recipe, &set, args.out.as_deref(), output)?;
    if let Some((summary, backdoor)) = summary.as_ref().and_then(|all| Some((all, all.backdoor.as_ref()?))) {
        output.object(&json!({
            "run": folder.root(), "clean_accuracy": summary.accuracy, "clean_accuracy_interval": summary.interval,
            "trigger_success": backdoor.success.estimate(), "trigger_success_interval": backdoor.interval(),
            "poisoned": backdoor.poisoned, "report": folder.path(findings::REPORT),
        }));
    }
    Ok(status)
}
