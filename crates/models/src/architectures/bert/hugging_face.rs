//! Encoders as Hugging Face's `transformers` writes them: `config.json`, and the names of `model.safetensors`.

mod config;
mod names;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Bert, BertConfig};
use crate::{
    InputShape, ModelError,
    weights::{self, HostTensor, Path, State, WeightsError},
};
pub use names::Family;

/// Why a folder of Hugging Face's is no [`Bert`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PretrainedError {
    /// `config.json` is not what it should be.
    #[error("{0}")]
    Config(String),
    /// A network of another kind.
    #[error(
        "`model_type` is \"{found}\"; read are \"bert\", \"roberta\", \"xlm-roberta\" and \"distilbert\""
    )]
    Kind {
        /// What it says.
        found: String,
    },
    /// A setting that changes what the network computes in a way that is not supported.
    #[error("`{key}` is {value}; only {allowed} is supported")]
    Setting {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is supported.
        allowed: &'static str,
    },
    /// Impossible sizes.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Tensors that are missing, too many or of another shape, all in Hugging Face's names.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// A network's sizes and its tensors, under Hugging Face's names without a prefix such as `bert.`.
#[derive(Debug, Clone)]
pub struct Pretrained {
    /// The sizes. How tokens are pooled may be changed: Hugging Face's files do not tell.
    pub config: BertConfig,
    /// What the network is called there.
    pub family: Family,
    /// Classes of its head; 0 where it has none.
    pub outputs: usize,
    tensors: State,
}

impl Pretrained {
    /// The network that the text of a `config.json` and the tensors beside it describe. Heads for other tasks, such as
    /// the one for masked tokens that BERT was trained with, are left out.
    ///
    /// # Errors
    ///
    /// Where the configuration is not of a kind that is read.
    pub fn read(config: &str, tensors: State) -> Result<Self, PretrainedError> {
        let (family, mut config) = config::read(config)?;
        let mut tensors: State =
            tensors.into_iter().map(|(name, tensor)| (family.plain(&name), tensor)).collect();
        let outputs = family.head(&tensors);
        family.drop_other_heads(&mut tensors, outputs > 0);
        family.pooler(&tensors, outputs > 0, &mut config);
        Ok(Self { config, family, outputs, tensors })
    }

    /// The network for texts of `input`, with its weights.
    ///
    /// # Errors
    ///
    /// Where the texts do not fit the network; lists every tensor that is missing, too many or of another shape.
    pub fn network(self, input: InputShape, device: &Device) -> Result<Bert, PretrainedError> {
        // Every weight is replaced, so that what is drawn does not matter.
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let network = self.config.init(input, self.outputs, &mut rng, device)?;
        let mut shapes = Shapes::default();
        network.visit(&mut shapes);
        let state = self.family.to_ours(self.tensors, &shapes.found, self.outputs > 0)?;
        Ok(weights::assign(network, &state)?)
    }

    /// The weights for a network to start from, under our names: with those of the last layer, or without it, where that is
    /// to tell other classes apart. A pooler that the network has none for is left out with it.
    ///
    /// # Errors
    ///
    /// Lists every tensor that is missing, too many or of another shape.
    ///
    /// # Panics
    ///
    /// If the network is no [`Bert`].
    pub fn weights(mut self, network: &impl Module, with_head: bool) -> Result<State, WeightsError> {
        let mut shapes = Shapes::default();
        network.visit(&mut shapes);
        let found = self.outputs > 0;
        if !with_head {
            let has_pooler = shapes.found.iter().any(|(name, _)| name.starts_with("pooler."));
            let parts = if has_pooler { &["head"][..] } else { &["head", "pooler"] };
            for name in parts.iter().flat_map(|part| ["weight", "bias"].map(|leaf| format!("{part}.{leaf}")))
            {
                for theirs in self.family.theirs(&name, found).unwrap_or_default() {
                    self.tensors.remove(&theirs);
                }
            }
            shapes.found.retain(|(name, _)| !name.starts_with("head."));
        }
        self.family.to_ours(self.tensors, &shapes.found, with_head || found)
    }
}

impl Family {
    /// A network's tensors under Hugging Face's names, query, key and value apart, for its own class of classifiers
    /// (`BertForSequenceClassification`) where the network has a head, else for the encoder alone (`BertModel`).
    ///
    /// # Panics
    ///
    /// If the state is not a [`Bert`]'s.
    #[must_use]
    pub fn to_theirs(self, state: &State) -> State {
        let head = state.contains_key("head.weight");
        let tensors = state.iter().flat_map(|(name, tensor)| {
            let names = self.full_names(name, head).expect("a parameter of this network");
            let count = names.len();
            names.into_iter().zip(tensor.parts(count))
        });
        tensors.collect()
    }

    /// Tensors under our names, for a network of these parameters; `head` says whether the tensors are called as those of a
    /// classifier.
    fn to_ours(
        self,
        mut tensors: State,
        shapes: &[(String, Vec<usize>)],
        head: bool,
    ) -> Result<State, WeightsError> {
        self.check(&tensors, shapes, head)?;
        let join = |(ours, shape): &(String, Vec<usize>)| {
            let names = self.theirs(ours, head).expect("a parameter of this network");
            let parts = names.iter().map(|name| tensors.remove(name).expect("checked before").values);
            let values = parts.reduce(|mut all, part| {
                all.extend(part);
                all
            });
            (ours.clone(), HostTensor { shape: shape.clone(), values: values.unwrap_or_default() })
        };
        Ok(shapes.iter().map(join).collect())
    }

    /// Lists what does not fit, in Hugging Face's names.
    fn check(self, tensors: &State, shapes: &[(String, Vec<usize>)], head: bool) -> Result<(), WeightsError> {
        let needed = shapes.iter().flat_map(|(ours, shape)| {
            let names = self.theirs(ours, head).expect("a parameter of this network");
            let shape = [&[shape[0] / names.len()], &shape[1..]].concat();
            names.into_iter().map(move |name| (name, shape.clone()))
        });
        let needed: std::collections::BTreeMap<String, Vec<usize>> = needed.collect();
        let missing: Vec<String> =
            needed.keys().filter(|name| !tensors.contains_key(*name)).cloned().collect();
        let surplus: Vec<String> =
            tensors.keys().filter(|name| !needed.contains_key(*name)).cloned().collect();
        let misshapen: Vec<String> = tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name, &tensor.shape, needed.get(name)?)))
            .filter(|(_, given, needed)| given != needed)
            .map(|(name, given, needed)| {
                format!("{name} is {given:?} in the file, {needed:?} in the network")
            })
            .collect();
        if missing.is_empty() && surplus.is_empty() && misshapen.is_empty() {
            return Ok(());
        }
        Err(WeightsError::Mismatch { missing, surplus, misshapen })
    }
}

/// The names and shapes of a network's parameters.
#[derive(Default)]
struct Shapes {
    path: Path,
    found: Vec<(String, Vec<usize>)>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.name(), param.shape().to_vec()));
    }
}
