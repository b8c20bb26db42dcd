use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Place, Way};

/// All parameters are trained, from fresh weights: nothing is transferred.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scratch {}

impl Way for Scratch {
    fn trains(&self, _: &Place) -> bool {
        true
    }

    fn takes_over(&self) -> bool {
        false
    }
}
