use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Calibration, search};
use crate::Observed;

/// The range at which integers are nearest to the values, in the mean of squares.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mse {}

impl Calibration for Mse {
    /// A value inside is off by a uniform error of variance `scale² / 12`, one outside by its distance to the range.
    fn range(&self, observed: &Observed) -> [f32; 2] {
        search(observed, |affine, [low, high]| {
            let rounding = f64::from(affine.scale).powi(2) / 12.0;
            let bins = observed.bins.iter().enumerate().filter(|(_, count)| **count > 0);
            bins.map(|(bin, count)| {
                let value = observed.center(bin);
                let outside = value - value.clamp(f64::from(low), f64::from(high));
                *count as f64 * if outside == 0.0 { rounding } else { outside.powi(2) }
            })
            .sum()
        })
    }
}
