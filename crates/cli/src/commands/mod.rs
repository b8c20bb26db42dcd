//! The verbs, one file each, and the one list that names them.

pub(crate) mod attack;
mod audit;
mod bench;
mod certify;
pub(crate) mod compress;
mod data;
mod embed;
mod eval;
mod explain;
mod export;
mod generate;
mod model;
mod predict;
mod privacy;
mod recipe;
mod report;
mod train;
mod transfer;

use crate::{
    error::CliError,
    output::{Output, Status},
};

/// One line a verb: its variant, and the file of that name, whose `Args` and `run` it is.
macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident = $module:ident,)*) => {
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum Command {
            $($(#[$doc])* $variant($module::Args),)*
        }

        impl Command {
            pub(crate) fn run(self, output: &Output) -> Result<Status, CliError> {
                match self {
                    $(Self::$variant(args) => $module::run(args, output),)*
                }
            }
        }
    };
}

commands! {
    /// Train a network as a recipe says; without one, the default job on MNIST
    Train = train,
    /// Measure a run's network on a split of its data
    Eval = eval,
    /// Explain a run's answers: which parts of an input speak for a class, and whether that can be believed
    Explain = explain,
    /// Attack a run's network: how often is it right when its inputs are changed a little on purpose
    Attack = attack,
    /// Prove how often a run's network is right whatever is done to its inputs within a ball
    Certify = certify,
    /// Hold a run's network against the limits in its recipe, and write one report
    Audit = audit,
    /// Make a run's network smaller and faster: integers in the place of floats, weights and channels removed
    Compress = compress,
    /// Turn texts into vectors, by an encoder of Hugging Face's
    Embed = embed,
    /// Write a run's network for other programs
    Export = export,
    /// What training costs in privacy, whether it keeps what it promises, and what a network gives away
    Privacy = privacy,
    /// Ask a run's network about pictures, IDX files or table rows
    Predict = predict,
    /// Make pictures with a run's generator
    Generate = generate,
    /// Hold ways of learning from another run against each other
    Transfer = transfer,
    /// Write a run's report anew
    Report = report,
    /// List data sources, or look into one
    Data = data,
    /// List, show and check recipes
    Recipe = recipe,
    /// List architectures, or sum one up layer by layer
    Model = model,
    /// Time what this machine does
    Bench = bench,
}
