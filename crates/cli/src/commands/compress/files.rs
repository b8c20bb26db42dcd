//! Pruned weights as the bytes of a file, and what is in it.

use std::collections::{BTreeMap, BTreeSet};

use crucible_compress::{Archive, Arithmetic, Coded, Stored, pruning::Shrunk, share};
use crucible_models::weights::{self, State};

use super::plan::Plan;
use crate::findings::pruning::{Layer, Stage};

/// The values that the weights of each parameter share; none where each has its own.
type Codebooks = BTreeMap<String, Vec<f32>>;

/// The file of weights, and how it came to be so small.
pub(super) struct Small {
    pub(super) bytes: Vec<u8>,
    pub(super) stages: Vec<Stage>,
    pub(super) layers: Vec<Layer>,
}

impl Small {
    /// Shares and codes the weights that `names` are of, as planned, of a network that was `whole` and is pruned.
    pub(super) fn new(whole: &Shrunk, network: Shrunk, names: &[String], plan: &Plan) -> Self {
        let mut state = network.state;
        let mut bytes = plain(&whole.state);
        let mut stages = vec![Stage { name: "as trained", bytes: bytes.len() as u64 }];
        let mut stage = |name, bytes: &[u8]| stages.push(Stage { name, bytes: bytes.len() as u64 });
        if plan.prune.is_some() {
            bytes = plain(&state);
            stage("pruned", &bytes);
        }
        if plan.code {
            bytes = coded(&state, &names.iter().map(|name| (name.clone(), Vec::new())).collect());
            stage("coded", &bytes);
        }
        if let Some(bits) = plan.share {
            let codebooks = shared(&mut state, names, bits);
            bytes = if plan.code { coded(&state, &codebooks) } else { plain(&state) };
            stage(if plan.code { "shared and coded" } else { "shared" }, &bytes);
        }
        let layers = names.iter().map(|name| layer(name, &whole.state, &state)).collect();
        Self { bytes, stages, layers }
    }
}

fn plain(state: &State) -> Vec<u8> {
    weights::to_safetensors(state, Some(("format", "pt".to_owned())))
}

/// The file in which the parameters that have codebooks are coded.
fn coded(state: &State, codebooks: &Codebooks) -> Vec<u8> {
    let stored = |(name, tensor): (&String, &weights::HostTensor)| {
        let tensor = tensor.clone();
        let stored = match codebooks.get(name) {
            Some(codebook) => Stored::Coded(Coded { tensor, codebook: codebook.clone() }),
            None => Stored::Float(tensor),
        };
        (name.clone(), stored)
    };
    Archive { tensors: state.iter().map(stored).collect(), arithmetic: Arithmetic::Float }.to_bytes()
}

/// Shares the values of each parameter.
fn shared(state: &mut State, names: &[String], bits: u8) -> Codebooks {
    let mut codebooks = Codebooks::new();
    for name in names {
        if let Some(tensor) = state.get_mut(name) {
            let (few, codebook) = share(tensor, bits);
            *tensor = few;
            codebooks.insert(name.clone(), codebook);
        }
    }
    codebooks
}

fn layer(name: &str, before: &State, after: &State) -> Layer {
    let tensor = &after[name];
    let nonzero: Vec<u32> =
        tensor.values.iter().filter(|value| **value != 0.0).map(|value| value.to_bits()).collect();
    let count = nonzero.len() as u64;
    let values = nonzero.into_iter().collect::<BTreeSet<u32>>().len() as u64;
    Layer {
        name: name.to_owned(),
        shape_before: before[name].shape.clone(),
        shape: tensor.shape.clone(),
        nonzero: count,
        values,
    }
}
