//! What a run has spent, in its folder.
//!
//! The ledger is written before the steps that it pays for, so that a crash forgets no spending. The samples and the noise
//! of a step are found by a key and the step's number; the key stays in the folder while training goes on, so that steps
//! that are taken again after a crash are the same steps and are not paid for twice. A run that has lost its key goes on
//! with a new one, and pays for what it takes again.

use crucible_train::{RunFolder, TrainError};
use serde::{Deserialize, Serialize};

use crate::{Phase, PrivacyError, draws::KEY};

/// The ledger's place in a run folder.
pub const LEDGER: &str = "privacy/ledger.json";
/// The place of the key of its last entry.
const KEY_FILE: &str = "privacy/key.json";
/// Raised whenever the ledger changes its meaning.
const VERSION: u32 = 1;

/// Everything that a run paid for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    version: u32,
    /// The probability that the promise is not kept.
    pub delta: f64,
    /// One for each key, in the order of time.
    pub entries: Vec<Entry>,
}

/// Steps whose samples and noise come from one key.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The noise's standard deviation over the clipping norm.
    pub noise: f64,
    /// The probability of each example to be in a step's sample.
    pub rate: f64,
    /// The clipping norm.
    pub clip: f64,
    /// The first step, from 1.
    pub first: u64,
    /// The last step that is paid for; before the first where none is.
    pub last: u64,
    /// Whether the key is the recipe's seed, which anyone can know: then nothing is promised.
    pub seeded: bool,
}

impl Entry {
    fn steps(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }

    /// Whether both draw for the same steps in the same way.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        (self.noise, self.rate, self.clip, self.seeded) == (other.noise, other.rate, other.clip, other.seeded)
    }
}

impl Ledger {
    pub(crate) fn new(delta: f64) -> Self {
        Self { version: VERSION, delta, entries: Vec::new() }
    }

    /// The ledger of a run, none where it was not trained with a guarantee.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or is damaged.
    pub fn read(folder: &RunFolder) -> Result<Option<Self>, TrainError> {
        if !folder.has(LEDGER) {
            return Ok(None);
        }
        let damaged = |problem| TrainError::Damaged { path: folder.path(LEDGER), problem };
        let ledger: Self =
            serde_json::from_slice(&folder.read(LEDGER)?).map_err(|error| damaged(error.to_string()))?;
        if ledger.version != VERSION {
            let problem = format!("its version is {}, and this program reads {VERSION}", ledger.version);
            return Err(damaged(problem));
        }
        ledger.phases().map_err(|error| damaged(error.to_string()))?;
        Ok(Some(ledger))
    }

    pub(crate) fn write(&self, folder: &RunFolder) -> Result<(), TrainError> {
        folder.write(LEDGER, &serde_json::to_vec_pretty(self).expect("plain data"))
    }

    /// Whether anything is promised: no draw came from a seed that anyone can know.
    #[must_use]
    pub fn is_private(&self) -> bool {
        !self.entries.iter().any(|entry| entry.seeded)
    }

    /// Steps that were paid for.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.entries.iter().map(Entry::steps).sum()
    }

    /// What was paid for, to be added up by an [`Accountant`](crate::accountants::Accountant).
    ///
    /// # Errors
    ///
    /// Where an entry's noise or rate is none.
    pub fn phases(&self) -> Result<Vec<Phase>, PrivacyError> {
        phases(&self.entries)
    }
}

/// What these entries paid for.
pub(crate) fn phases(entries: &[Entry]) -> Result<Vec<Phase>, PrivacyError> {
    let paid = entries.iter().filter(|entry| entry.steps() > 0);
    paid.map(|entry| Phase::new(entry.noise, entry.rate, entry.steps())).collect()
}

/// The key of the last entry, and which entry that is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    entry: usize,
    key: [u8; KEY],
}

/// The key of the ledger's last entry, if it is still there.
pub(crate) fn read_key(folder: &RunFolder, ledger: &Ledger) -> Result<Option<[u8; KEY]>, TrainError> {
    if !folder.has(KEY_FILE) {
        return Ok(None);
    }
    let kept: Kept = serde_json::from_slice(&folder.read(KEY_FILE)?)
        .map_err(|error| TrainError::Damaged { path: folder.path(KEY_FILE), problem: error.to_string() })?;
    // Of a key that was written before a crash, its entry was not.
    Ok((kept.entry + 1 == ledger.entries.len()).then_some(kept.key))
}

/// Keeps the key of the entry with this index.
pub(crate) fn write_key(folder: &RunFolder, entry: usize, key: [u8; KEY]) -> Result<(), TrainError> {
    folder.write_secret(KEY_FILE, &serde_json::to_vec(&Kept { entry, key }).expect("plain data"))
}

/// Forgets the key: nothing that was drawn can be told again.
pub(crate) fn remove_key(folder: &RunFolder) -> Result<(), TrainError> {
    folder.remove(KEY_FILE)
}
