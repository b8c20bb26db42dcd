mod compare;
mod merge;

use crate::{
    error::CliError,
    output::{Output, Status},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Train a recipe with `[transfer]` in every mode, from scratch too, by the same budget, and compare what comes out
    Compare(compare::Args),
    /// Put what adapters learned into the weights of the encoder that they belong to
    Merge(merge::Args),
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    match args.action {
        Action::Compare(args) => compare::run(&args, output),
        Action::Merge(args) => merge::run(&args, output),
    }
}
