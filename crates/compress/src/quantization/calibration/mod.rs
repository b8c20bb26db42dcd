//! From the values that an activation took to the range that its integers cover, one file each, and the one list that
//! names them.

mod entropy;
mod min_max;
mod mse;
mod percentile;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use entropy::Entropy;
pub use min_max::MinMax;
pub use mse::Mse;
pub use percentile::Percentile;

use crate::{Affine, Observed};

/// How the range of an activation is chosen. Values outside of it become its ends.
pub trait Calibration {
    /// The range from the values seen.
    fn range(&self, observed: &Observed) -> [f32; 2];
}

/// One line a calibration: its variant, which is also the type of its settings, and the name that commands use.
macro_rules! calibrations {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// Any of the calibrations.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name")]
        pub enum CalibrationConfig {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant($variant),)*
        }

        impl CalibrationConfig {
            /// Every one as its name, what it is, and its default settings.
            #[must_use]
            pub fn all() -> Vec<(&'static str, &'static str, Self)> {
                vec![$(($name, concat!($($doc),*).trim_ascii(), Self::$variant($variant::default())),)*]
            }

            /// The name that commands use.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            /// The calibration itself.
            #[must_use]
            pub fn calibration(&self) -> &dyn Calibration {
                match self {
                    $(Self::$variant(settings) => settings,)*
                }
            }
        }
    };
}

calibrations! {
    /// The whole range seen.
    MinMax = "min-max",
    /// Without the outermost values.
    Percentile = "percentile",
    /// The range whose integers tell most of the distribution (Migacz 2017).
    Entropy = "entropy",
    /// The range of the least mean squared error.
    Mse = "mse",
}

/// The range among ever smaller parts of that seen, 0 within each, at which `cost` is least; the widest of equals.
fn search(observed: &Observed, cost: impl Fn(Affine, [f32; 2]) -> f64) -> [f32; 2] {
    const STEPS: usize = 128;
    const SMALLEST: f32 = 0.1;
    let whole = [observed.low.min(0.0), observed.high.max(0.0)];
    let ranges = (0..STEPS).map(|step| {
        let part = 1.0 - (1.0 - SMALLEST) * step as f32 / (STEPS - 1) as f32;
        whole.map(|end| end * part)
    });
    let costs = ranges.map(|range| (cost(Affine::covering(range), range), range));
    costs.fold((f64::INFINITY, whole), |best, next| if next.0 < best.0 { next } else { best }).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bell of ten thousand values and one far away.
    fn outlier() -> Observed {
        let bell = (1..10_000).map(|i| {
            let share = i as f32 / 10_000.0;
            (share / (1.0 - share)).ln()
        });
        Observed::of(&bell.chain([200.0]).collect::<Vec<f32>>())
    }

    #[test]
    fn every_range_holds_zero_and_lies_within_what_was_seen() {
        for (name, _, config) in CalibrationConfig::all() {
            for observed in [outlier(), Observed::of(&[0.0; 4]), Observed::of(&[1.0, 2.0, 3.0])] {
                let [low, high] = config.calibration().range(&observed);
                let seen = [observed.low.min(0.0), observed.high.max(0.0)];
                assert!(
                    seen[0] <= low && low <= 0.0 && 0.0 <= high && high <= seen[1],
                    "{name}: {low} {high}"
                );
            }
        }
    }

    #[test]
    fn all_but_the_plainest_cut_an_outlier_off() {
        let observed = outlier();
        for (name, _, config) in CalibrationConfig::all() {
            let [_, high] = config.calibration().range(&observed);
            assert_eq!(high < 100.0, name != "min-max", "{name}: {high}");
        }
    }

    #[test]
    fn the_least_squared_error_is_less_than_that_of_the_whole_range() {
        let values: Vec<f32> =
            (1..2000).map(|i| (i as f32 / 2000.0 / (1.0 - i as f32 / 2000.0)).ln().powi(3)).collect();
        let observed = Observed::of(&values);
        let error = |config: &dyn Calibration| -> f64 {
            let affine = Affine::covering(config.range(&observed));
            values.iter().map(|x| f64::from(affine.dequantize(affine.quantize(*x)) - x).powi(2)).sum()
        };
        assert!(error(&Mse::default()) < 0.9 * error(&MinMax::default()));
    }

    #[test]
    fn a_percentile_cuts_its_share_at_each_end() {
        let values: Vec<f32> = (0..=10_000).map(|i| i as f32 / 5000.0 - 1.0).collect();
        let [low, high] = Percentile { percent: 98.0 }.range(&Observed::of(&values));
        assert!((low + 0.98).abs() < 2e-3 && (high - 0.98).abs() < 2e-3, "{low} {high}");
    }
}
