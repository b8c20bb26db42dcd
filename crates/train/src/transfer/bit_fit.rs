use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Place, Way};

/// Biases are trained, and the last layer: some thousandths of the parameters.
///
/// E. Ben Zaken, S. Ravfogel, Y. Goldberg: BitFit, 2022.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BitFit {}

impl Way for BitFit {
    fn trains(&self, place: &Place) -> bool {
        place.is_head || place.is_bias
    }
}
