//! Adapters in the files of Hugging Face's `peft`: `adapter_config.json` and `adapter_model.safetensors`, under the names
//! that the layers have in `transformers`; a network that is not from there keeps its own.

mod config;
mod names;

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use config::{PeftConfig, PeftProblem};
use names::Names;

use crate::{
    Network,
    weights::{self, State, WeightsError},
};

/// The name of the file of settings.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// The name of the file of tensors.
pub const TENSORS_FILE: &str = "adapter_model.safetensors";
/// What `peft` puts before every name.
const PREFIX: &str = "base_model.model.";

/// Adapters apart from the network that they belong to, and the layers that were trained as a whole beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct Peft {
    /// How they change their layers.
    pub config: PeftConfig,
    /// Under `peft`'s names.
    pub tensors: State,
}

/// Why adapters do not fit a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeftError {
    /// Settings that are not read.
    #[error(transparent)]
    Config(#[from] PeftProblem),
    /// Tensors that do not fit, under `peft`'s names.
    #[error(transparent)]
    Tensors(#[from] WeightsError),
    /// There are no adapters in the file.
    #[error("it holds no `lora_A` and `lora_B` of any layer")]
    Empty,
    /// The network has adapters.
    #[error("the network has adapters already; merge them first")]
    Taken,
}

impl Peft {
    /// The adapters of a network, and these of its parameters. `base` says where the network without them is.
    ///
    /// # Panics
    ///
    /// Where the network has no adapter, or not these parameters.
    #[must_use]
    pub fn of(network: &Network, whole: &BTreeSet<String>, base: &str) -> Self {
        let mut network = network.clone();
        let names = Names::of(&mut network);
        let state = weights::collect(&network);
        let mut tensors = State::new();
        let mut modules = Vec::new();
        let mut found = None;
        let mut all = Vec::new();
        for layer in network.linears() {
            all.extend((0..layer.parts().len()).map(|part| names.module(layer, part)));
            let Some(adapter) = &layer.adapter else { continue };
            found = Some(*adapter.config());
            for (i, part) in adapter.parts.iter().enumerate() {
                let module = names.module(layer, part.part());
                for (ours, theirs) in names::TENSORS {
                    if let Some(tensor) = state.get(&names::parameter(layer.name(), i, ours)) {
                        tensors.insert(format!("{PREFIX}{module}.{theirs}"), tensor.clone());
                    }
                }
                modules.push(module);
            }
        }
        let adapter = found.expect("a network with adapters");
        let mut saved = Vec::new();
        for name in names.whole(whole) {
            for (theirs, tensor) in names.split(&name, &state[&name]) {
                saved.push(theirs.rsplit_once('.').map_or(theirs.as_str(), |(layer, _)| layer).to_owned());
                tensors.insert(format!("{PREFIX}{theirs}"), tensor);
            }
        }
        saved.dedup();
        let config = PeftConfig {
            adapter,
            base: base.to_owned(),
            classifies: names.classifies(),
            targets: names::shortest(&modules, &all),
            whole: names.saved_modules(saved),
        };
        Self { config, tensors }
    }

    /// Reads the text of an `adapter_config.json` and the tensors beside it.
    ///
    /// # Errors
    ///
    /// Where the settings are not of a kind that is read.
    pub fn read(config: &str, tensors: State) -> Result<Self, PeftProblem> {
        // The module that holds the lengths of rows has one tensor, which some versions name.
        let plain = |name: String| match name.strip_suffix("lora_magnitude_vector.weight") {
            Some(layer) => format!("{layer}lora_magnitude_vector"),
            None => name,
        };
        let tensors = tensors.into_iter().map(|(name, tensor)| (plain(name), tensor)).collect();
        Ok(Self { config: PeftConfig::read(config)?, tensors })
    }

    /// The layers that were trained as a whole, under the network's own names there.
    #[must_use]
    pub fn whole(&self) -> State {
        let is_adapter = |name: &str| names::TENSORS.iter().any(|(_, theirs)| name.ends_with(theirs));
        let whole = self.tensors.iter().filter(|(name, _)| !is_adapter(name));
        whole.map(|(name, tensor)| (name.replacen(PREFIX, "", 1), tensor.clone())).collect()
    }

    /// The network with these adapters beside its layers, and the layers that were trained as a whole replaced.
    ///
    /// # Errors
    ///
    /// Lists every tensor that does not fit, under `peft`'s names; refuses a network that has adapters.
    pub fn apply(&self, mut network: Network) -> Result<Network, PeftError> {
        let names = Names::of(&mut network);
        let own = weights::collect(&network).into_keys();
        let has = |name: &String| self.tensors.contains_key(name);
        let replaced = own.map(|ours| {
            let theirs = names.theirs(&ours).iter().map(|name| format!("{PREFIX}{name}")).collect();
            (ours, theirs)
        });
        let mut wanted: Vec<Wanted> =
            replaced.filter(|(_, theirs): &Wanted| theirs.iter().any(has)).collect();
        let first = wanted.len();
        for layer in network.linears() {
            if layer.adapter.is_some() {
                return Err(PeftError::Taken);
            }
            let names: Vec<String> = (0..layer.parts().len())
                .map(|part| format!("{PREFIX}{}", names.module(layer, part)))
                .collect();
            let is_adapted = |part: &usize| {
                names::TENSORS.iter().any(|(_, theirs)| has(&format!("{}.{theirs}", names[*part])))
            };
            let parts: Vec<usize> = (0..names.len()).filter(is_adapted).collect();
            if !parts.is_empty() {
                // What is drawn is replaced.
                layer.adapt(&parts, self.config.adapter, &mut ChaCha8Rng::seed_from_u64(0));
            }
            let tensors = &names::TENSORS[..if self.config.adapter.decomposed { 3 } else { 2 }];
            for (i, part) in parts.into_iter().enumerate() {
                wanted.extend(tensors.iter().map(|(ours, theirs)| {
                    (names::parameter(layer.name(), i, ours), vec![format!("{}.{theirs}", names[part])])
                }));
            }
        }
        if wanted.len() == first {
            return Err(PeftError::Empty);
        }
        let state = self.fill(weights::collect(&network), &wanted)?;
        Ok(weights::assign(network, &state)?)
    }

    /// A network's tensors with these replaced by the file's.
    fn fill(&self, mut state: State, wanted: &[Wanted]) -> Result<State, WeightsError> {
        let (mut missing, mut misshapen) = (Vec::new(), Vec::new());
        let mut left: BTreeSet<&String> = self.tensors.keys().collect();
        for (ours, theirs) in wanted {
            let own = state.get_mut(ours).expect("a parameter of the network");
            let shape = [&[own.shape[0] / theirs.len()], &own.shape[1..]].concat();
            let mut values = Vec::with_capacity(own.values.len());
            for name in theirs {
                left.remove(name);
                match self.tensors.get(name) {
                    None => missing.push(name.clone()),
                    Some(tensor) if tensor.shape != shape => {
                        let given = &tensor.shape;
                        misshapen.push(format!("{name} is {given:?} in the file, {shape:?} in the network"));
                    }
                    Some(tensor) => values.extend_from_slice(&tensor.values),
                }
            }
            own.values = values;
        }
        let surplus: Vec<String> = left.into_iter().cloned().collect();
        if missing.is_empty() && surplus.is_empty() && misshapen.is_empty() {
            return Ok(state);
        }
        Err(WeightsError::Mismatch { missing, surplus, misshapen })
    }
}

/// One of our parameters, and their names of its parts.
type Wanted = (String, Vec<String>);
