//! Where parameters lie in a network.

use std::collections::BTreeMap;

use burn::tensor::Device;
use crucible_models::{
    Network, summarize,
    weights::{self, State},
};

/// Where a parameter lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The layer's name, such as `fc1`.
    pub layer: String,
    /// Blocks of layers from the last one, which is 0. A block is a layer, or what lies under one number of a list, such as
    /// `layers.3`.
    pub depth: usize,
    /// Whether it is the last layer's, which tells classes apart.
    pub is_head: bool,
    /// Whether it is a bias.
    pub is_bias: bool,
    /// Whether it belongs to an adapter beside a layer's weight.
    pub is_adapter: bool,
    /// Values.
    pub count: usize,
}

/// The places of a network's parameters, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    places: BTreeMap<String, Place>,
    /// In the order of the forward pass.
    layers: Vec<String>,
}

impl Places {
    /// Those of a network that reads `features` values.
    #[must_use]
    pub fn new(network: &Network, features: usize, device: &Device) -> Self {
        let summary = summarize(network, features, device);
        let with_parameters = summary.layers.into_iter().filter(|layer| layer.parameters > 0);
        let layers: Vec<String> = with_parameters.map(|layer| layer.name).collect();
        let mut blocks: Vec<&str> = layers.iter().map(|layer| block(layer)).collect();
        blocks.dedup();
        let place = |(name, tensor): (String, weights::HostTensor)| {
            let owner = layers.iter().filter(|layer| owns(layer, &name)).max_by_key(|layer| layer.len());
            // What no layer of the forward pass owns lies before all of them.
            let layer = owner.cloned().unwrap_or_else(|| name.clone());
            let number = blocks.iter().rposition(|other| *other == block(&layer));
            let place = Place {
                depth: number.map_or(blocks.len(), |number| blocks.len() - 1 - number),
                is_head: Some(&layer) == layers.last(),
                is_bias: name.ends_with("bias"),
                is_adapter: name.contains(".adapter."),
                count: tensor.values.len(),
                layer,
            };
            (name, place)
        };
        let state: State = weights::collect(network);
        let learnable = state.into_iter().filter(|(name, _)| !name.contains(".running_"));
        Self { places: learnable.map(place).collect(), layers }
    }

    /// The place of a parameter.
    #[must_use]
    pub fn get(&self, parameter: &str) -> Option<&Place> {
        self.places.get(parameter)
    }

    /// All places, by the names of their parameters.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Place)> {
        self.places.iter()
    }

    /// All places.
    pub fn values(&self) -> impl Iterator<Item = &Place> {
        self.places.values()
    }

    /// The layers that have parameters, in the order of the forward pass.
    #[must_use]
    pub fn layers(&self) -> &[String] {
        &self.layers
    }

    /// The last of them, which tells classes apart.
    ///
    /// # Panics
    ///
    /// Where no layer has parameters.
    #[must_use]
    pub fn head(&self) -> &str {
        self.layers.last().expect("a network has a layer with parameters")
    }
}

/// Whether a parameter is a layer's: `fc1.weight` is `fc1`'s, and `attn.in_proj_weight` is `attn.in_proj`'s.
pub(super) fn owns(layer: &str, parameter: &str) -> bool {
    parameter.strip_prefix(layer).is_some_and(|rest| rest.starts_with(['.', '_']))
}

/// The block that a layer belongs to: up to the first number of a list, or itself.
fn block(layer: &str) -> &str {
    let mut end = 0;
    for part in layer.split('.') {
        end += part.len() + 1;
        if part.parse::<u32>().is_ok() {
            return &layer[..end - 1];
        }
    }
    layer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_belong_to_layers_and_layers_to_blocks() {
        assert!(owns("fc1", "fc1.weight") && owns("a.in_proj", "a.in_proj_bias"));
        assert!(!owns("fc1", "fc10.weight"));
        assert_eq!(block("encoder.layers.3.linear1"), "encoder.layers.3");
        assert_eq!(block("layers.12.self_attn.in_proj"), "layers.12");
        assert_eq!(block("fc1"), "fc1");
    }
}
