//! Two audits side by side.

use std::path::{Path, PathBuf};

use crucible_measure::Interval;
use serde_json::json;

use crate::{
    audit::{
        judged::{Row, RowVerdict},
        page::{ROWS, Rows},
    },
    error::CliError,
    output::{Output, Status},
    run::{open_folder, parse},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run that was audited first
    first: PathBuf,

    /// The run to compare with it
    second: PathBuf,
}

/// Compares what two audits found; not met where the second breaks a limit that the first keeps.
pub(super) fn run(args: &Args, output: &Output) -> Result<Status, CliError> {
    let [first, second] = [read(&args.first)?, read(&args.second)?];
    let mut worse = 0;
    for row in &first.checks {
        let Some(other) = second.checks.iter().find(|other| other.check == row.check) else {
            output.line(format!("{:<30} only the first audit has it", row.check));
            output.object(&json!({ "check": row.check, "first": row.value, "second": null }));
            continue;
        };
        let lost = row.verdict == RowVerdict::Pass && other.verdict == RowVerdict::Fail;
        worse += u32::from(lost);
        output.object(&json!({
            "check": row.check, "first": row.value, "second": other.value, "first_verdict": row.verdict,
            "second_verdict": other.verdict, "apart": apart(row, other), "comparable": row.settings == other.settings,
        }));
        output.line(line(row, other));
    }
    let known = |check: &str| first.checks.iter().any(|row| row.check == check);
    for row in second.checks.iter().filter(|row| !known(&row.check)) {
        output.object(&json!({ "check": row.check, "first": null, "second": row.value }));
        output.line(format!("{:<30} only the second audit has it", row.check));
    }
    output.object(&json!({ "event": "done", "broken_by_second": worse }));
    output.line(match worse {
        0 => "\nThe second keeps every limit that the first is known to keep, or is not known to break it."
            .to_owned(),
        _ => format!("\nThe second breaks {worse} of the limits that the first keeps."),
    });
    Ok(if worse == 0 { Status::Done } else { Status::NotMet })
}

fn read(path: &Path) -> Result<Rows, CliError> {
    let folder = open_folder(path)?;
    if !folder.has(ROWS) {
        let problem = format!("`crucible audit {}` has not been run", path.display());
        return Err(CliError::NoRun { path: path.to_owned(), problem });
    }
    parse(&folder, ROWS)
}

fn interval(row: &Row) -> Option<Interval> {
    let [low, high] = row.interval?;
    Some(Interval { low: low.unwrap_or(f64::NEG_INFINITY), high: high.unwrap_or(f64::INFINITY) })
}

/// Whether the two intervals have no number in common, so that the difference is no chance.
fn apart(a: &Row, b: &Row) -> Option<bool> {
    let (a, b) = (interval(a)?, interval(b)?);
    Some(a.low > b.high || b.low > a.high)
}

fn line(a: &Row, b: &Row) -> String {
    let number = |row: &Row| row.value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    let mark = |row: &Row| match row.verdict {
        RowVerdict::Pass => "pass",
        RowVerdict::Fail => "FAIL",
        RowVerdict::Undecided => "undecided",
        RowVerdict::Skipped => "skipped",
    };
    let words = match (apart(a, b), a.settings == b.settings) {
        (_, false) => "other settings",
        (Some(true), _) => "apart",
        (Some(false), _) => "may be chance",
        (None, _) => "",
    };
    format!("{:<30} {:>9} {:<9}  {:>9} {:<9}  {words}", a.check, number(a), mark(a), number(b), mark(b))
        .trim_end()
        .to_owned()
}
