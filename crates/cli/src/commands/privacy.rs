use crate::{
    error::CliError,
    output::{Output, Status},
};

mod attack;
pub(super) mod audit;
mod budget;
mod extract;

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
    /// Train a run's recipe anew with canaries, and hold how well they can be told against what is promised
    Audit(audit::Args),
    /// What of its training examples a run's network gives away
    Extract(extract::Args),
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    match args.action {
        Action::Attack(args) => attack::run(&args, output),
        Action::Budget(args) => budget::run(&args, output),
        Action::Audit(args) => audit::run(&args, output),
        Action::Extract(args) => extract::run(&args, output),
    }
}
