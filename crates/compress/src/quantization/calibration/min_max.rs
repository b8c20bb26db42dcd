use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Calibration;
use crate::Observed;

/// From the smallest value seen to the largest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MinMax {}

impl Calibration for MinMax {
    fn range(&self, observed: &Observed) -> [f32; 2] {
        [observed.low.min(0.0), observed.high.max(0.0)]
    }
}
