//! What a check found, as it is kept in the run folder.

use crucible_train::RunFolder;
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::{error::CliError, run::parse};

/// The folder of findings in a run's.
const FOLDER: &str = "checks";

/// What came of a check that neither failed nor was stopped.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Came {
    /// A number.
    Found(Finding),
    /// There was nothing to measure, and why.
    Skipped(String),
}

/// What came of a check, and what that depends on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Of [`Fingerprint`](super::fingerprint::Fingerprint).
    pub(crate) fingerprint: String,
    pub(crate) seconds: f64,
    pub(crate) came: Came,
}

/// The place of a check's findings in the run folder.
pub(crate) fn place(check: &str) -> String {
    format!("{FOLDER}/{check}.json")
}

impl Kept {
    /// What an earlier audit kept, if it is of these circumstances. What cannot be read is measured again.
    pub(crate) fn read(folder: &RunFolder, check: &str, fingerprint: &str) -> Option<Self> {
        parse::<Self>(folder, &place(check)).ok().filter(|kept| kept.fingerprint == fingerprint)
    }

    pub(crate) fn write(&self, folder: &RunFolder, check: &str) -> Result<(), CliError> {
        Ok(folder.write(&place(check), &serde_json::to_vec_pretty(self).expect("plain data"))?)
    }
}
