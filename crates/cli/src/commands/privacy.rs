use crate::{
    error::CliError,
    output::{Output, Status},
};

mod attack;
mod budget;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Tell which examples a run was trained on from its answers: how much it gives away of them
    Attack(attack::Args),
    /// What training with noise costs in privacy, or how much noise a budget asks for
    Budget(budget::Args),
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    match args.action {
        Action::Attack(args) => attack::run(&args, output),
        Action::Budget(args) => budget::run(&args, output),
    }
}
