use std::path::PathBuf;

use crucible_measure::Interval;
use crucible_train::evaluate;
use serde_json::json;

use crate::{
    error::CliError,
    findings::{CONFIDENCE, classification, regression},
    gan,
    output::{Output, Status},
    run::Run,
    threads,
};

mod generator;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,

    /// The split to measure on
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,

    /// Of a generator: the run of the classifier by whose features and answers its pictures are measured
    #[arg(long, value_name = "RUN")]
    by: Option<PathBuf>,

    /// Of a generator: how many pictures
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    count: u32,

    /// Of a generator: the seed of the pictures
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Split {
    Train,
    Validation,
    Test,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    threads::start(None)?;
    if gan::holds_generator(&args.run) {
        let Some(by) = &args.by else {
            return Err(CliError::Usage(format!(
                "{} holds a generator, whose pictures are measured by a classifier of the same pictures: \
                 `crucible train mnist-cnn --out judge`, then `--by judge`",
                args.run.display()
            )));
        };
        return generator::run(&args.run, by, args.count as usize, args.seed, output);
    }
    if args.by.is_some() {
        return Err(CliError::Usage("--by is for runs of generators; this one answers itself".to_owned()));
    }
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
