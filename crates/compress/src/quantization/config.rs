//! What becomes integers, and how: the settings, and what they mean for a network's layers.

use std::collections::BTreeMap;

use crucible_models::{Graph, Node, Operation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calibration::{CalibrationConfig, Percentile};
use crate::{CompressError, parameters::is_weighted};

/// What to make integers, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuantizeConfig {
    /// Integers for the weights.
    pub weights: WeightFormat,
    /// Integers for the activations.
    pub activations: ActivationFormat,
    /// Balance neighbouring layers before.
    pub equalize: bool,
    /// Move biases by the mean error that the integers make.
    pub correct_biases: bool,
    /// Layers whose weights get other integers than the rest.
    pub layers: BTreeMap<String, WeightFormat>,
    /// Layers that stay in floats.
    pub keep: Vec<String>,
}

/// Integers for weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum WeightFormat {
    /// 8 bits, a scale for each output channel: what integer arithmetic needs.
    Channels,
    /// 4 or 8 bits, a scale for so many neighbours.
    Groups {
        /// 4 or 8.
        bits: u8,
        /// Neighbours that share a scale.
        group: usize,
    },
}

/// Integers for activations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ActivationFormat {
    /// None: weights alone are integers, and become floats when the network is loaded.
    Float,
    /// 8 bits, by a range that is found for each example anew.
    Dynamic,
    /// 8 bits, by a range that is chosen once, from the values seen on examples.
    Static {
        /// How it is chosen.
        calibration: CalibrationConfig,
    },
}

impl Default for QuantizeConfig {
    fn default() -> Self {
        let calibration = CalibrationConfig::Percentile(Percentile::default());
        Self {
            weights: WeightFormat::Channels,
            activations: ActivationFormat::Static { calibration },
            equalize: false,
            correct_biases: true,
            layers: BTreeMap::new(),
            keep: Vec::new(),
        }
    }
}

/// The integers of each layer's weights, by the layer's name. Layers that are not named stay in floats.
pub type Formats = BTreeMap<String, WeightFormat>;

impl QuantizeConfig {
    /// The layers of a network to quantize.
    pub(super) fn formats(&self, graph: &Graph) -> Result<Formats, CompressError> {
        self.layers.values().chain([&self.weights]).try_for_each(|format| format.check())?;
        if let ActivationFormat::Static { calibration } = &self.activations {
            calibration.calibration().check()?;
        }
        let all: Vec<&Node> = graph.nodes.iter().filter(|node| is_weighted(node)).collect();
        let mut named = self.keep.iter().chain(self.layers.keys());
        if let Some(name) = named.find(|name| !all.iter().any(|node| node.name == **name)) {
            let layers = all.iter().map(|node| node.name.clone()).collect();
            return Err(CompressError::NoLayer { name: name.clone(), layers });
        }
        let wanted = all.into_iter().filter(|node| !self.keep.contains(&node.name));
        let (mut formats, mut without) = (Formats::new(), Vec::new());
        for node in wanted {
            let format = *self.layers.get(&node.name).unwrap_or(&self.weights);
            let integers = self.activations != ActivationFormat::Float && format == WeightFormat::Channels;
            if let Some(why) = without_integers(node).filter(|_| integers) {
                without.push((node.name.clone(), why));
            }
            formats.insert(node.name.clone(), format);
        }
        if without.is_empty() { Ok(formats) } else { Err(CompressError::Unsupported(without)) }
    }
}

impl WeightFormat {
    fn check(&self) -> Result<(), CompressError> {
        match *self {
            Self::Groups { bits, .. } if ![4, 8].contains(&bits) => Err(CompressError::Bits(bits)),
            Self::Groups { group, .. } if group < 2 => Err(CompressError::Group(group)),
            _ => Ok(()),
        }
    }
}

/// Sums of more products than this may not fit 32 bits.
const MOST_INPUTS: usize = 65_793;

/// Why a layer has no integer arithmetic, if it has none.
fn without_integers(node: &Node) -> Option<&'static str> {
    let shape: Vec<usize> = match &node.operation {
        Operation::Linear(layer, _) => layer.weight.dims().to_vec(),
        Operation::Conv2d(layer, _) if layer.config().groups != 1 => {
            return Some("(a convolution in groups)");
        }
        Operation::Conv2d(layer, _) => layer.weight.dims().to_vec(),
        _ => return None,
    };
    (shape[1..].iter().product::<usize>() > MOST_INPUTS).then_some("(more inputs than 32 bits can sum)")
}
