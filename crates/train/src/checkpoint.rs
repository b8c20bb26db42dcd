//! The whole state of training in one file.
//!
//! A safetensors file with the tensors `model/…`, `average/…`, `optimizer/…` and `rule/…`, and the rest as JSON in its metadata.

use std::collections::BTreeMap;

use crucible_models::weights::{self, State};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{RunFolder, TrainError, history::History, run_folder::name, update::UpdaterState};

const KEY: &str = "crucible";
/// Raised whenever a checkpoint changes its meaning.
const VERSION: u32 = 1;

/// Of one network, or of a pair of them, whose history is another.
pub(crate) struct Checkpoint<H = History> {
    pub(crate) model: State,
    pub(crate) average: Option<State>,
    pub(crate) optimizer: UpdaterState,
    /// What the update rule has learned.
    pub(crate) rule: State,
    pub(crate) history: H,
}

#[derive(Serialize, Deserialize)]
struct Header<H> {
    version: u32,
    has_average: bool,
    counters: BTreeMap<String, u64>,
    history: H,
}

impl<H: Serialize + DeserializeOwned> Checkpoint<H> {
    pub(crate) fn save(self, folder: &RunFolder) -> Result<(), TrainError> {
        let header = Header {
            version: VERSION,
            has_average: self.average.is_some(),
            counters: self.optimizer.counters,
            history: self.history,
        };
        let header = serde_json::to_string(&header).expect("plain data");
        let mut tensors = State::new();
        let parts = [
            ("model", Some(self.model)),
            ("average", self.average),
            ("optimizer", Some(self.optimizer.tensors)),
            ("rule", Some(self.rule)),
        ];
        for (part, state) in parts {
            tensors
                .extend(state.into_iter().flatten().map(|(name, tensor)| (format!("{part}/{name}"), tensor)));
        }
        folder.write(name::LAST, &weights::to_safetensors(&tensors, Some((KEY, header))))
    }

    /// The last checkpoint, or `None` where none was saved yet.
    pub(crate) fn load(folder: &RunFolder) -> Result<Option<Self>, TrainError> {
        if !folder.has(name::LAST) {
            return Ok(None);
        }
        let damaged = |problem: String| TrainError::Damaged { path: folder.path(name::LAST), problem };
        let bytes = folder.read(name::LAST)?;
        let (tensors, header) = weights::from_safetensors(&bytes, KEY).map_err(|e| damaged(e.to_string()))?;
        let header = header.ok_or_else(|| damaged("it holds no state of training".to_owned()))?;
        let header: Header<H> = serde_json::from_str(&header).map_err(|e| damaged(e.to_string()))?;
        if header.version != VERSION {
            return Err(damaged(format!(
                "its version is {}, and this program reads {VERSION}",
                header.version
            )));
        }
        let part = |part: &str| -> State {
            let prefix = format!("{part}/");
            let named =
                tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?, tensor)));
            named.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect()
        };
        let checkpoint = Self {
            model: part("model"),
            average: header.has_average.then(|| part("average")),
            optimizer: UpdaterState { tensors: part("optimizer"), counters: header.counters },
            rule: part("rule"),
            history: header.history,
        };
        checkpoint.check_optimizer().map_err(damaged)?;
        Ok(Some(checkpoint))
    }

    /// Whether all that the optimizer keeps for a parameter has that parameter's shape.
    fn check_optimizer(&self) -> Result<(), String> {
        for (counter, rank) in &self.optimizer.counters {
            let Some(name) = counter.strip_suffix("/rank") else { continue };
            let parameter = self.model.get(name);
            let prefix = format!("{name}.");
            let mut kept = self.optimizer.tensors.iter().filter(|(name, _)| name.starts_with(&prefix));
            let fits = parameter.is_some_and(|parameter| {
                parameter.shape.len() as u64 == *rank && kept.all(|(_, kept)| kept.shape == parameter.shape)
            });
            if !fits {
                return Err(format!(
                    "the optimizer's state of `{name}` has another shape than the parameter"
                ));
            }
        }
        Ok(())
    }
}
