//! From the values that an activation took to the range that its integers cover, one file each, and the one list that
//! names them.

mod entropy;
mod min_max;
mod mse;
mod percentile;

use crucible_train::registry;

pub use entropy::Entropy;
pub use min_max::MinMax;
pub use mse::Mse;
pub use percentile::Percentile;

use crate::{Affine, CompressError, Observed};

/// How the range of an activation is chosen. Values outside of it become its ends.
pub trait Calibration {
    /// Whether its settings make sense.
    ///
    /// # Errors
    ///
    /// Where one of them has a value that it cannot have.
    fn check(&self) -> Result<(), CompressError> {
        Ok(())
    }

    /// The range from the values seen.
    fn range(&self, observed: &Observed) -> [f32; 2];
}

registry! {
    /// Any of the calibrations.
    pub enum CalibrationConfig: Calibration by calibration;

    /// The whole range seen.
    MinMax = "min-max",
    /// Without the outermost values.
    Percentile = "percentile",
    /// The range whose integers tell most of the distribution (Migacz 2017).
    Entropy = "entropy",
    /// The range of the least mean squared error.
    Mse = "mse",
}

/// The range at which `cost` is least: of ever smaller upper ends one, the widest of equals, and then of lower ends. It
/// holds 0.
fn search(observed: &Observed, cost: impl Fn(Affine, [f32; 2]) -> f64) -> [f32; 2] {
    const STEPS: usize = 128;
    const SMALLEST: f32 = 0.05;
    let mut best = [observed.low.min(0.0), observed.high.max(0.0)];
    for end in [1, 0] {
        let ranges = (0..STEPS).map(|step| {
            let mut range = best;
            range[end] *= 1.0 - (1.0 - SMALLEST) * step as f32 / (STEPS - 1) as f32;
            range
        });
        let costs = ranges.map(|range| (cost(Affine::covering(range), range), range));
        let least = costs.fold((f64::INFINITY, best), |best, next| if next.0 < best.0 { next } else { best });
        best = least.1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many values in the shape of a bell, about as wide as a normal distribution twice as large.
    fn bell(count: u32) -> impl Iterator<Item = f32> {
        (1..count).map(move |i| {
            let share = f64::from(i) / f64::from(count);
            (share / (1.0 - share)).ln() as f32
        })
    }

    /// A bell and one value far away.
    fn outlier() -> Observed {
        Observed::of(&bell(100_000).chain([200.0]).collect::<Vec<f32>>())
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
    fn an_outlier_is_cut_off_where_it_tells_little() {
        let observed = outlier();
        let high = |config: &dyn Calibration| config.range(&observed)[1];
        assert_eq!(high(&MinMax::default()), 200.0);
        for config in [&Percentile::default() as &dyn Calibration, &Entropy::default()] {
            assert!(high(config) < 60.0, "{}", high(config));
        }
    }

    #[test]
    fn the_least_squared_error_is_far_less_than_that_of_the_whole_range() {
        // At only one of the ends there is something to cut off.
        let values: Vec<f32> = bell(1_000_000).chain([40.0]).collect();
        let observed = Observed::of(&values);
        let error = |range: [f32; 2]| -> f64 {
            let affine = Affine::covering(range);
            values.iter().map(|x| f64::from(affine.dequantize(affine.quantize(*x)) - x).powi(2)).sum()
        };
        let range = Mse::default().range(&observed);
        assert!(range[0] < -9.0 && range[1] < 25.0, "{range:?}");
        assert!(error(range) < 0.6 * error(MinMax::default().range(&observed)));
    }

    #[test]
    fn a_percentile_cuts_its_share_at_each_end() {
        let values: Vec<f32> = (0..=10_000).map(|i| i as f32 / 5000.0 - 1.0).collect();
        let [low, high] = Percentile { percent: 98.0 }.range(&Observed::of(&values));
        assert!((low + 0.98).abs() < 2e-3 && (high - 0.98).abs() < 2e-3, "{low} {high}");
    }
}
