//! One binary that trains neural networks and puts them to the test.
//!
//! Each verb is a file of [`commands`]; what it says goes through [`output`], which alone prints.

mod audit;
mod commands;
mod distill;
mod error;
mod findings;
mod gan;
mod output;
mod poison;
mod pretrained;
mod progress;
mod question;
mod recipe;
mod rule;
mod run;
mod settings;
mod texts;
mod threads;
mod transfer;
mod view;

use std::process::ExitCode;

use clap::Parser;

use crate::{commands::Command, output::Output};

/// Buffers of tensors come and go with every step; this allocator keeps their pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains neural networks and puts them to the test.
///
/// Exit status: 0 done; 1 it failed, or a target or limit was not met; 2 wrong use or a faulty recipe; 3 an audit could not
/// decide; 130 stopped by Ctrl-C, with everything saved.
#[derive(Debug, Parser)]
#[command(name = "crucible", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Print one JSON object a line, for machines
    #[arg(long, global = true)]
    json: bool,

    /// Print nothing but errors
    #[arg(long, short, global = true)]
    quiet: bool,
}

fn main() -> ExitCode {
    crucible_kernels::keep_freed_memory();
    let cli = Cli::parse();
    let output = Output::new(cli.json, cli.quiet);
    match cli.command.run(&output) {
        Ok(_) if output::is_lost() => ExitCode::FAILURE,
        Ok(status) => status.into(),
        Err(error) => {
            output.error(&error);
            error.exit_code()
        }
    }
}
