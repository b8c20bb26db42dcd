use crate::{
    error::CliError,
    output::{Output, Status},
};

mod attack;
mod explain;
mod gan;
mod int8;
mod private;
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
    /// One step with the guarantee of `train.privacy`, beside a plain one
    Private(private::Args),
    /// The answers of a convolutional network in integers, beside those in floats
    Int8(int8::Args),
    /// One step of a generator and of a discriminator on random pictures
    Gan(gan::Args),
    /// Forty steps of projected gradient descent against random pictures
    Attack(attack::Args),
    /// Integrated gradients of random pictures over 50 points
    Explain(attack::Args),
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    match args.action {
        Action::Step(args) => step::run(&args, output)?,
        Action::Private(args) => private::run(&args, output)?,
        Action::Int8(args) => int8::run(&args, output)?,
        Action::Gan(args) => gan::run(&args, output)?,
        Action::Attack(args) => attack::run(&args, output)?,
        Action::Explain(args) => explain::run(&args, output)?,
    }
    Ok(Status::Done)
}
