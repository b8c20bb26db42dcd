use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Place, Way};

/// All parameters are trained, those near the input perhaps later and less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Full {
    /// What the learning rate is multiplied by from each block of layers to the one before it: below 1, what lies near the
    /// input moves less (discriminative fine-tuning; Howard and Ruder 2018).
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub layer_decay: f64,
    /// Epochs after which one more block of layers is trained, beginning with the last alone (gradual unfreezing; the same);
    /// with 0 all are from the start.
    pub unfreeze_every: u64,
}

impl Default for Full {
    fn default() -> Self {
        Self { layer_decay: 1.0, unfreeze_every: 0 }
    }
}

impl Way for Full {
    fn trains(&self, _: &Place) -> bool {
        true
    }

    fn rate(&self, place: &Place, epoch: u64) -> f64 {
        // Every `unfreeze_every` epochs reach one block further.
        let reached = (epoch - 1).checked_div(self.unfreeze_every).unwrap_or(u64::MAX);
        match (place.depth as u64) <= reached {
            true => self.layer_decay.powi(place.depth as i32),
            false => 0.0,
        }
    }
}
