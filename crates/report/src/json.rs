//! The report as JSON.

use serde::Deserialize;

use crate::schema::{Report, VERSION};

/// The oldest version that can be read: 1 had verdicts of two outcomes, and no cards.
const OLDEST: u32 = 1;

/// Why a text is not a report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The text is no JSON, or no report.
    #[error("not a report: {0}")]
    Invalid(#[from] serde_json::Error),
    /// The report has a schema that this program does not know.
    #[error("the report has schema version {found}, and this program reads versions {OLDEST} to {VERSION}")]
    Version {
        /// The version that the report names.
        found: u32,
    },
}

/// Writes a report as indented JSON. Keys always stand in the same order, and `version` comes first.
///
/// # Panics
///
/// Never: every field of a report has a form in JSON.
pub fn to_json(report: &Report) -> String {
    let mut text =
        serde_json::to_string_pretty(report).expect("a report has string keys and finite numbers only");
    text.push('\n');
    text
}

/// Reads what [`to_json`] wrote, every number to its last bit, also that of an older program.
///
/// # Errors
///
/// [`ReadError`] if the text is no report or is one of another version.
pub fn from_json(text: &str) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    // First by itself: a report of another version may fail to parse for reasons that would only mislead.
    let Head { version: found } = serde_json::from_str(text)?;
    if !(OLDEST..=VERSION).contains(&found) {
        return Err(ReadError::Version { found });
    }
    Ok(Report { version: VERSION, ..serde_json::from_str(text)? })
}
