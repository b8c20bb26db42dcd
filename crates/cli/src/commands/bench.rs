use crate::{
    error::CliError,
    output::{Output, Status},
};

mod step;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// One optimizer step on random inputs: forward and backward pass, and the update
    Step(step::Args),
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    match args.action {
        Action::Step(args) => step::run(&args, output)?,
    }
    Ok(Status::Done)
}
