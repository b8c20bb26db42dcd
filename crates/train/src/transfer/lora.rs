use crucible_models::{Network, adapters, layers::AdapterConfig};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Layers, Place, Places, Way};

/// Thin matrices beside linear layers are trained, whose product is added to the weight, and the last layer.
///
/// E. Hu et al.: LoRA: Low-Rank Adaptation of Large Language Models, 2021, arXiv:2106.09685.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lora {
    /// Rows of the thin matrices.
    #[schemars(range(min = 1, max = 65536))]
    pub rank: usize,
    /// The product of the thin matrices is multiplied by this over the rank.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub alpha: f64,
    /// Probability of dropping each value that the thin matrices read, while training.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: f64,
    /// Linear layers that are changed, by names or their ends: `query`, `key`, `value` and `out_proj` of attention, `linear1`,
    /// `fc2`, or `all-linear`. By default `query` and `value`; of a network without attention, all but the last.
    pub targets: Vec<String>,
    /// Multiply by alpha over the root of the rank (rsLoRA: Kalajdzievski 2023, arXiv:2312.03732).
    pub rslora: bool,
    /// Train the lengths of the rows of each weight by themselves (DoRA: Liu et al. 2024, arXiv:2402.09353).
    pub dora: bool,
    /// Layers that are trained as a whole, beside the last one.
    pub layers: Vec<String>,
}

impl Default for Lora {
    fn default() -> Self {
        Self {
            rank: 8,
            // As peft has it.
            alpha: 8.0,
            dropout: 0.0,
            targets: Vec::new(),
            rslora: false,
            dora: false,
            layers: Vec::new(),
        }
    }
}

impl Way for Lora {
    fn trains(&self, place: &Place) -> bool {
        place.is_adapter || place.is_head || self.layers.iter().any(|name| Layers::names(name, place))
    }

    fn adapted(&self, mut network: Network, rng: &mut ChaCha8Rng) -> Result<Network, String> {
        let config = AdapterConfig {
            rank: self.rank,
            alpha: self.alpha,
            dropout: self.dropout,
            rank_stabilized: self.rslora,
            decomposed: self.dora,
        };
        adapters::adapt(&mut network, &self.targets, config, rng).map_err(|error| error.to_string())?;
        Ok(network)
    }

    fn check(&self, places: &Places) -> Result<(), String> {
        Layers::known(&self.layers, places)
    }
}
