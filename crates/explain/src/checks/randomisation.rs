use std::collections::BTreeSet;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use crucible_measure::Mean;
use crucible_models::{
    Observe, Tapped,
    weights::{self, State, WeightsError},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of [`randomisation`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomisationConfig {
    /// The rank correlation above which attributions of a network without anything learned count as the same.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: f64,
}

impl Default for RandomisationConfig {
    fn default() -> Self {
        Self { threshold: 0.5 }
    }
}

/// The check's result.
#[derive(Debug, Clone, PartialEq)]
pub struct Randomisation {
    /// After each layer, from the output down.
    pub stages: Vec<Stage>,
    /// The threshold that was used.
    pub threshold: f64,
    /// With all layers random, the mean correlation is still above the threshold: the method shows the input, not what the
    /// network learned.
    pub fails: bool,
}

/// The attributions with some layers random.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// The layer that became random now; those after it are already.
    pub layer: String,
    /// Spearman's rank correlation of each example's `|values|` with those of the trained network, `[n]`, without those
    /// that are zero for both.
    pub correlations: Vec<f64>,
    /// Their mean; zero for no examples.
    pub mean: f64,
}

/// Model randomisation: layer after layer, from the output to the input, gets weights that learned nothing, and each time
/// the attributions are compared with the trained network's. Those that hardly change do not depend on what was learned.
///
/// `fresh` are all weights of the same architecture with another seed ([`weights::collect`] of a new network). `attribute`
/// makes values `[n, features]` with the network that it is given.
///
/// Values that are zero both times are left out: a black background gets no contribution from any network, and would
/// make all maps of a digit look alike.
///
/// J. Adebayo et al.: Sanity checks for saliency maps, 2018 (cascading randomisation, absolute values).
///
/// # Errors
///
/// Where `attribute` fails or `fresh` does not fit the network.
///
/// # Panics
///
/// If `attribute` returns more or fewer values for one network than for another.
pub fn randomisation<N: Module + Tapped, E: From<WeightsError>>(
    config: &RandomisationConfig,
    network: &N,
    fresh: &State,
    features: usize,
    device: &Device,
    mut attribute: impl FnMut(&N) -> Result<Vec<f32>, E>,
) -> Result<Randomisation, E> {
    let original = attribute(network)?;
    let mut state = weights::collect(network);
    let mut stages = Vec::new();
    for layer in layers(network, features, device).into_iter().rev() {
        let names: Vec<String> = state.keys().filter(|name| belongs(name, &layer)).cloned().collect();
        if names.is_empty() {
            continue;
        }
        for name in names {
            if let Some(weights) = fresh.get(&name) {
                state.insert(name, weights.clone());
            }
        }
        // `valid` is a copy whose running statistics are its own.
        let values = attribute(&weights::assign(network.valid(), &state)?)?;
        assert_eq!(values.len(), original.len(), "as many values for each network");
        let rows = original.chunks_exact(features).zip(values.chunks_exact(features));
        let correlations: Vec<f64> = rows.map(|(a, b)| likeness(a, b)).collect();
        let mut mean = Mean::default();
        correlations.iter().for_each(|&correlation| mean.record(correlation));
        let mean = mean.value().unwrap_or_default();
        stages.push(Stage { layer, correlations, mean });
    }
    let fails = stages.last().is_some_and(|stage| stage.mean > config.threshold);
    Ok(Randomisation { stages, threshold: config.threshold, fails })
}

/// The layers in the order of the forward pass, each once.
fn layers(network: &impl Tapped, features: usize, device: &Device) -> Vec<String> {
    let (mut seen, mut names) = (BTreeSet::new(), Vec::new());
    let mut observe = Observe(|site: &crucible_models::Site<'_>, _| {
        if site.parameters > 0 && seen.insert(site.name.to_owned()) {
            names.push(site.name.to_owned());
        }
    });
    let _ = network.forward(Tensor::zeros([1, features], device), &mut observe);
    names
}

/// Whether `fc1.weight`, or `in_proj_weight`, is a weight of this layer.
fn belongs(weight: &str, layer: &str) -> bool {
    weight.strip_prefix(layer).is_some_and(|rest| rest.starts_with(['.', '_']) && !rest[1..].contains('.'))
}

/// The rank correlation of the values' sizes where at least one of them is not zero.
fn likeness(a: &[f32], b: &[f32]) -> f64 {
    let pairs = a.iter().zip(b).filter(|(a, b)| **a != 0.0 || **b != 0.0);
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.map(|(a, b)| (f64::from(a.abs()), f64::from(b.abs()))).unzip();
    spearman(&a, &b)
}

/// Spearman's rank correlation; equal values share the mean of their ranks. Of constant values, which have no order: one if
/// both are constant, zero if one is.
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let middle = (a.len() as f64 - 1.0) / 2.0;
    let product =
        |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum() };
    let (aa, bb) = (product(&a, &a), product(&b, &b));
    match (aa == 0.0, bb == 0.0) {
        (true, true) => 1.0,
        (false, false) => product(&a, &b) / (aa * bb).sqrt(),
        _ => 0.0,
    }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let first = order.partition_point(|&i| values[i].total_cmp(&values[equal[0]]).is_lt());
        let rank = first as f64 + (equal.len() as f64 - 1.0) / 2.0;
        equal.iter().for_each(|&i| ranks[i] = rank);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_correlate_whatever_the_scale_and_share_ties() {
        assert_eq!(spearman(&[1.0, 2.0, 30.0], &[0.1, 0.2, 0.3]), 1.0);
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, -9.0]), -1.0);
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 0.0]), [2.5, 1.0, 2.5, 0.0]);
        assert_eq!(spearman(&[1.0, 1.0], &[2.0, 2.0]), 1.0);
        assert_eq!(spearman(&[1.0, 1.0], &[2.0, 3.0]), 0.0);
    }

    #[test]
    fn weights_belong_to_the_layer_of_their_name() {
        assert!(
            belongs("fc1.weight", "fc1")
                && belongs("layers.0.self_attn.in_proj_bias", "layers.0.self_attn.in_proj")
        );
        assert!(!belongs("fc10.weight", "fc1") && !belongs("layers.0.linear1.weight", "layers.0"));
    }
}
