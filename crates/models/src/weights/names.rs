//! The names that torchvision and `torch.nn.Sequential` give the layers of networks that are also ours.
//!
//! | architecture | theirs | ours |
//! |---|---|---|
//! | `convnet` | `features.N`, `classifier.N` of torchvision's VGG | `convN`, `fcN` |
//! | `mlp` | `N` of `torchvision.ops.MLP` or a `Sequential` | `fcN`, `bnN` |
//!
//! Their `N` counts what has no weights too: activations, poolings, dropout. A file's numbers therefore tell where its
//! network pools, and one that pools elsewhere than the recipe does not fit. The activation has no name: the caller's
//! recipe must say the one that the weights were trained with. torchvision's VGG averages to 7×7 before its classifier,
//! which changes nothing of pictures of 224×224; others fit where the first fully connected layer is as wide.
//!
//! Prefixes that wrappers add to every name (`module.`, `model.`) are dropped. Other names stay as they are.

use std::collections::BTreeMap;

use burn::module::Module;

use super::{HostTensor, State, WeightsError, network::assign_under};
use crate::{
    Architecture,
    architectures::{ConvnetConfig, MlpConfig},
    layers::BatchNorm,
};

/// What `DataParallel` and Lightning put before every name.
const WRAPPERS: [&str; 2] = ["module.", "model."];

/// Weights under our names, that remember those of their file.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The tensors under our names.
    pub state: State,
    /// What the file puts before every name.
    prefix: String,
    /// The file's name of each of our layers.
    theirs: BTreeMap<String, String>,
}

impl Mapped {
    /// Tensors that have our names already.
    #[must_use]
    pub fn ours(state: State) -> Self {
        Self { state, prefix: String::new(), theirs: BTreeMap::new() }
    }

    /// The network with its parameters and running statistics replaced, as by [`assign`](super::assign).
    ///
    /// # Errors
    ///
    /// [`WeightsError::Mismatch`], which lists what does not fit under the file's own names.
    pub fn assign<M: Module>(&self, network: M) -> Result<M, WeightsError> {
        assign_under(network, &self.state, |name| self.in_the_file(name))
    }

    /// The file's name of a tensor that is called `name` here.
    #[must_use]
    pub fn in_the_file(&self, name: &str) -> String {
        let theirs = name
            .rsplit_once('.')
            .and_then(|(layer, parameter)| Some(format!("{}.{parameter}", self.theirs.get(layer)?)));
        format!("{}{}", self.prefix, theirs.as_deref().unwrap_or(name))
    }
}

/// Weights from elsewhere under the names that a network of `architecture` has.
///
/// Where a file of a VGG has batch norm after its convolutions (which `convnet` has not), each is folded into its
/// convolution: the same function in evaluation, up to the rounding of weights, and no batch norm in further training.
///
/// # Errors
///
/// [`WeightsError::Mismatch`] where a batch norm lacks a tensor or differs from its convolution in channels.
pub fn mapped(mut state: State, architecture: &Architecture) -> Result<Mapped, WeightsError> {
    let mut prefix = String::new();
    while let Some(wrapper) = common_prefix(&state) {
        state = state.into_iter().map(|(name, tensor)| (name[wrapper.len()..].to_owned(), tensor)).collect();
        prefix += wrapper;
    }
    let (tables, norms) = match architecture {
        Architecture::Convnet(config) => vgg(config, &state),
        Architecture::Mlp(config) => (sequential(config), Vec::new()),
        _ => (Vec::new(), Vec::new()),
    };
    for (conv, norm) in norms {
        fold(&mut state, &conv, &norm).map_err(|error| prefixed(error, &prefix))?;
    }
    let best = tables.into_iter().max_by_key(|table| hits(table, &state)).unwrap_or_default();
    // A file in our own names stays as it is.
    let table = if hits(&best, &state) > 0 { best } else { Vec::new() };
    let ours: BTreeMap<&str, &str> =
        table.iter().map(|(theirs, ours)| (theirs.as_str(), ours.as_str())).collect();
    let rename = |name: String| {
        let layer = name.rsplit_once('.').and_then(|(layer, rest)| Some((ours.get(layer)?, rest)));
        layer.map_or_else(|| name.clone(), |(layer, rest)| format!("{layer}.{rest}"))
    };
    let state = state.into_iter().map(|(name, tensor)| (rename(name), tensor)).collect();
    let theirs = table.iter().map(|(theirs, ours)| (ours.clone(), theirs.clone())).collect();
    Ok(Mapped { state, prefix, theirs })
}

fn common_prefix(state: &State) -> Option<&'static str> {
    let mut wrappers = WRAPPERS.into_iter();
    wrappers.find(|wrapper| !state.is_empty() && state.keys().all(|name| name.starts_with(wrapper)))
}

/// Their name and ours of each layer.
type Table = Vec<(String, String)>;

/// How many tensors a table knows.
fn hits(table: &Table, state: &State) -> usize {
    let knows = |name: &String| table.iter().any(|(theirs, _)| Some(theirs.as_str()) == layer_of(name));
    state.keys().filter(|name| knows(name)).count()
}

fn layer_of(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(layer, _)| layer)
}

/// The tables that a VGG may follow, and its convolutions with the batch norms behind them.
fn vgg(config: &ConvnetConfig, state: &State) -> (Vec<Table>, Vec<(String, String)>) {
    let normed = state.contains_key("features.1.running_mean");
    let (mut features, mut norms, mut place) = (Table::new(), Vec::new(), 0);
    for (i, conv) in (1..).zip(&config.conv) {
        let name = format!("features.{place}");
        if normed {
            norms.push((name.clone(), format!("features.{}", place + 1)));
        }
        features.push((name, format!("conv{i}")));
        // The convolution, its norm and activation, and a pooling.
        place += 2 + usize::from(normed) + usize::from(conv.pool > 1);
    }
    let layers = config.hidden.len() + 1;
    // With dropout behind each activation, as torchvision has it, and without.
    let mut classifiers: Vec<Table> = [3, 2].map(|step| linear("classifier.", 0, step, layers)).into();
    if layers == 1 {
        classifiers.push(vec![("classifier".to_owned(), "fc1".to_owned())]);
    }
    let tables = classifiers.into_iter().map(|classifier| [features.clone(), classifier].concat()).collect();
    (tables, norms)
}

/// The tables that a `Sequential` may follow: behind a `Flatten` or not, with dropout or without.
fn sequential(config: &MlpConfig) -> Vec<Table> {
    let (layers, norm) = (config.hidden.len() + 1, usize::from(config.batch_norm));
    let places = [(0, 3), (0, 2), (1, 3), (1, 2)];
    let tables = places.map(|(start, step)| {
        let step = step + norm;
        let mut table = linear("", start, step, layers);
        if config.batch_norm {
            let norms = (1..layers).map(|i| (format!("{}", start + (i - 1) * step + 1), format!("bn{i}")));
            table.extend(norms);
        }
        table
    });
    tables.into()
}

fn linear(prefix: &str, start: usize, step: usize, layers: usize) -> Table {
    (0..layers).map(|i| (format!("{prefix}{}", start + i * step), format!("fc{}", i + 1))).collect()
}

/// Takes a batch norm out of a state and puts what it computes in evaluation into the convolution before it.
fn fold(state: &mut State, conv: &str, norm: &str) -> Result<(), WeightsError> {
    let kernel = format!("{conv}.weight");
    let parts = ["weight", "bias", "running_mean", "running_var"].map(|part| format!("{norm}.{part}"));
    let needed = parts.iter().chain([&kernel]);
    let missing: Vec<String> = needed.filter(|name| !state.contains_key(*name)).cloned().collect();
    if !missing.is_empty() {
        return Err(WeightsError::Mismatch { missing, surplus: Vec::new(), misshapen: Vec::new() });
    }
    let channels = state[&kernel].shape.first().copied().unwrap_or(0);
    let bias = format!("{conv}.bias");
    let vectors = parts.iter().chain(state.contains_key(&bias).then_some(&bias));
    let misshapen: Vec<String> = vectors
        .filter(|name| state[*name].shape != [channels])
        .map(|name| {
            format!("{name} is {:?} in the file, {kernel} {:?}", state[name].shape, state[&kernel].shape)
        })
        .collect();
    if !misshapen.is_empty() {
        return Err(WeightsError::Mismatch { missing, surplus: Vec::new(), misshapen });
    }
    let [scale, shift, mean, variance] = parts.map(|name| state.remove(&name).unwrap_or_default().values);
    let old = state.remove(&bias).map_or_else(|| vec![0.0; channels], |bias| bias.values);
    let factor = |c: usize| f64::from(scale[c]) / (f64::from(variance[c]) + BatchNorm::EPSILON).sqrt();
    let values = (0..channels)
        .map(|c| ((f64::from(old[c]) - f64::from(mean[c])) * factor(c) + f64::from(shift[c])) as f32)
        .collect();
    state.insert(bias, HostTensor { shape: vec![channels], values });
    if let Some(kernel) = state.get_mut(&kernel) {
        let size = (kernel.values.len() / channels.max(1)).max(1);
        for (c, channel) in kernel.values.chunks_mut(size).enumerate() {
            channel.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * factor(c)) as f32);
        }
    }
    Ok(())
}

fn prefixed(error: WeightsError, prefix: &str) -> WeightsError {
    let add = |names: Vec<String>| names.into_iter().map(|name| format!("{prefix}{name}")).collect();
    match error {
        WeightsError::Mismatch { missing, surplus, misshapen } => {
            WeightsError::Mismatch { missing: add(missing), surplus: add(surplus), misshapen: add(misshapen) }
        }
        error => error,
    }
}
