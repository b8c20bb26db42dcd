use std::path::PathBuf;

use crucible_measure::Interval;
use crucible_train::evaluate;
use serde_json::json;

use crate::{
    error::CliError,
    findings::{CONFIDENCE, classification, regression},
    output::{Output, Status},
    run::Run,
    threads,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,

    /// The split to measure on
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Split {
    Train,
    Validation,
    Test,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    threads::start(None)?;
    let run = Run::open(&args.run)?;
    let recipe = run.recipe()?;
    let data = run.data(&recipe)?;
    let (name, examples) = match args.split {
        Split::Train => ("train", Some(&data.train)),
        Split::Validation => ("validation", data.validation.as_ref()),
        Split::Test => ("test", data.test.as_ref()),
    };
    let examples = examples.ok_or_else(|| {
        let there: Vec<&str> = data.splits().map(|(name, _)| name).collect();
        CliError::Usage(format!("the data have no {name} split; they have: {}", there.join(", ")))
    })?;
    let task = &run.config.format.task;
    let evaluation = evaluate(&run.network, examples, run.config.loss.loss(), task, &run.device);
    if let Some(found) = classification(&evaluation, examples, task) {
        let accuracy = found.confusion.accuracy();
        let Interval { low, high } = accuracy.interval(CONFIDENCE);
        output.object(&json!({
            "split": name, "accuracy": accuracy.estimate(), "accuracy_interval": [low, high], "loss": evaluation.loss,
            "count": examples.len(), "classes": found.rows(), "macro": found.confusion.macro_average(),
            "weighted": found.confusion.weighted_average(), "confusion": found.confusion,
        }));
        output.line(found.text(name, evaluation.loss));
    } else if let Some(found) = regression(&evaluation, examples, task) {
        output.object(
            &json!({ "split": name, "loss": evaluation.loss, "count": examples.len(), "targets": found }),
        );
        for (target, errors) in &found {
            let r2 = errors.r2.map_or_else(|| "undefined".to_owned(), |r2| format!("{r2:.4}"));
            output.line(format!(
                "{target} on {} {name} examples: root mean squared error {:.4}, mean absolute error {:.4}, R² {r2}",
                examples.len(),
                errors.rmse.value,
                errors.mae.value
            ));
        }
        output.line(format!("Loss: {:.4}", evaluation.loss));
    }
    Ok(Status::Done)
}
