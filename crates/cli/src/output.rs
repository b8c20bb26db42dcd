//! The only place that prints.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "everything that is printed is printed here")]

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::json;

use crate::error::CliError;

/// How a verb ended, where it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Done,
    /// A target or limit was not met.
    NotMet,
    /// No limit is known to be broken, and not all are known to be kept.
    Undecided,
    /// Stopped by Ctrl-C, everything saved.
    Interrupted,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Done => 0,
            Status::NotMet => 1,
            Status::Undecided => 3,
            Status::Interrupted => 130,
        })
    }
}

/// Where words and numbers go: to people, to machines, or nowhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Lines for people.
    pub(crate) fn line(&self, text: impl std::fmt::Display) {
        if !self.json && !self.quiet {
            write_line(&text.to_string());
        }
    }

    /// One object for machines.
    pub(crate) fn object(&self, object: &impl Serialize) {
        if self.json {
            write_line(&serde_json::to_string(object).expect("plain data"));
        }
    }

    /// Text that is the whole point of the call (a recipe, a schema, a table of predictions): printed even if quiet.
    pub(crate) fn result(&self, text: &str) {
        write_line(text.trim_end_matches('\n'));
    }

    /// Whether [`object`](Self::object) prints.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether someone may be watching a progress bar.
    pub(crate) fn is_watched(&self) -> bool {
        !self.json && !self.quiet && std::io::stderr().is_terminal()
    }

    /// What went wrong: on the error stream for people, and as the last object for machines.
    pub(crate) fn error(&self, error: &CliError) {
        if self.json {
            let mut object = json!({ "event": "error", "message": error.to_string() });
            if let Some(problems) = error.problems() {
                object["problems"] = json!(problems);
            }
            write_line(&object.to_string());
        } else {
            eprintln!("error: {error}");
        }
    }
}

/// Set once something could not be printed.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether something that was to be printed is lost, as on a full disk.
pub(crate) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// A reader that has gone away (`crucible … | head`) is no reason to stop. Neither is a full disk, but it is told.
fn write_line(text: &str) {
    let Err(error) = writeln!(std::io::stdout(), "{text}") else { return };
    if error.kind() != std::io::ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) {
        let _ = writeln!(std::io::stderr(), "error: cannot write to standard output: {error}");
    }
}
