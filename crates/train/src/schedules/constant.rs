use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Position, Schedule};

/// Factor 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Constant {}

impl Schedule for Constant {
    fn factor(&self, _: Position<'_>) -> f64 {
        1.0
    }
}
