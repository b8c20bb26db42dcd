//! What a measurement depends on, as a few letters: a second audit measures again only where they differ.

use std::path::Path;

use crucible_data::{Dataset, Examples, Inputs, Targets};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Asked, Subject};
use crate::{error::CliError, findings::CONFIDENCE};

/// Raised whenever a check measures something else by the same settings.
const VERSION: u32 = 1;

/// The fingerprint of all that a subject's checks share.
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Of the network, its data and what is known of its training.
    pub(crate) fn new(subject: &Subject) -> Result<Self, CliError> {
        let mut hash = Sha256::new();
        for part in [VERSION.to_string(), env!("CARGO_PKG_VERSION").to_owned(), CONFIDENCE.to_string()] {
            add(&mut hash, part.as_bytes());
        }
        subject.parts()?.iter().for_each(|part| add(&mut hash, part));
        dataset(&mut hash, &subject.data);
        Ok(Self(hash))
    }

    /// Of one check, with the data that it reads beside the subject's; where these cannot be read, the check itself says so.
    pub(crate) fn of(&self, asked: &Asked, seed: u64) -> String {
        let mut hash = self.0.clone();
        add(&mut hash, asked.kind.key.as_bytes());
        add(&mut hash, asked.conditions().to_string().as_bytes());
        let others = asked.check.others().map(|others| crucible_data::load(others, Path::new(""), seed));
        if let Some(Ok(others)) = others {
            dataset(&mut hash, &others);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Adds bytes, and where they end.
fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn dataset(hash: &mut Sha256, data: &Dataset) {
    let format = serde_json::to_value(&data.format).unwrap_or(Value::Null);
    add(hash, format.to_string().as_bytes());
    for (split, examples) in data.splits() {
        add(hash, split.as_bytes());
        self::examples(hash, examples);
    }
}

fn examples(hash: &mut Sha256, examples: &Examples) {
    let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    match examples.inputs() {
        Inputs::Bytes { values, .. } => add(hash, values),
        Inputs::Floats(values) => add(hash, &floats(values)),
    }
    match examples.targets() {
        Targets::Classes(classes) => {
            add(hash, &classes.iter().flat_map(|class| class.to_le_bytes()).collect::<Vec<u8>>());
        }
        Targets::Values { values, .. } => add(hash, &floats(values)),
    }
}
