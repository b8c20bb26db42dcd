use std::collections::BTreeMap;

use crucible_models::weights::HostTensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Criterion, Masks};

/// The smallest weights go (S. Han et al.: Learning both weights and connections for efficient neural networks, 2015).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Magnitude {
    /// Among which weights they are the smallest.
    pub scope: Scope,
}

/// The weights that are compared with each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All of the network: layers with many small weights lose most.
    #[default]
    Global,
    /// Those of a layer: each layer loses the same share.
    Layer,
}

impl Criterion for Magnitude {
    fn masks(&self, weights: &BTreeMap<&str, &HostTensor>, share: f64) -> Masks {
        match self.scope {
            Scope::Global => smallest(weights, share),
            Scope::Layer => weights
                .iter()
                .flat_map(|(name, tensor)| smallest(&[(*name, *tensor)].into(), share))
                .collect(),
        }
    }
}

/// Masks without the smallest `share` of all these weights; of equals the earlier go.
fn smallest(weights: &BTreeMap<&str, &HostTensor>, share: f64) -> Masks {
    let mut order: Vec<(f32, usize)> =
        weights.values().flat_map(|tensor| &tensor.values).map(|value| value.abs()).zip(0..).collect();
    let gone = (order.len() as f64 * share).round() as usize;
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut stays = vec![true; order.len()];
    order.iter().take(gone).for_each(|(_, index)| stays[*index] = false);
    let mut stays = stays.into_iter();
    weights
        .iter()
        .map(|(name, tensor)| ((*name).to_owned(), stays.by_ref().take(tensor.values.len()).collect()))
        .collect()
}
