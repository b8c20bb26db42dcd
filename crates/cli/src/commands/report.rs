use std::path::PathBuf;

use serde_json::json;

use crate::{
    error::CliError,
    findings::{self, Ending},
    gan::{self, GanEnding, GanRun},
    output::{Output, Status},
    run::Run,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    if gan::holds_generator(&args.run) {
        let run = GanRun::open(&args.run)?;
        let (sentence, path) =
            findings::generator::write(&run, &run.recipe()?, &GanEnding::read(&run.folder)?)?;
        output.object(&json!({ "report": path }));
        output.line(sentence);
        output.line(format!("Report: {}", path.display()));
        return Ok(Status::Done);
    }
    let run = Run::open(&args.run)?;
    let recipe = run.recipe()?;
    let data = run.data(&recipe)?;
    let summary = findings::write(&run, &recipe, &data, &Ending::read(&run.folder)?)?;
    let path = run.folder.path(findings::REPORT);
    output.object(&json!({ "report": path, "test_accuracy": summary.accuracy, "test_loss": summary.loss }));
    output.line(&summary.sentence);
    output.line(format!("Report: {}", path.display()));
    Ok(Status::Done)
}
