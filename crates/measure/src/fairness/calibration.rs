use rand_chacha::ChaCha8Rng;

use super::Groups;
use crate::bootstrap::Bootstrap;
use crate::calibration::{Binning, Forecasts};
use crate::estimate::Estimate;

/// The expected calibration error within each group, with its interval by resampling; `None` of an empty group.
///
/// A small group has a larger error by chance alone: compare intervals, and take few bins.
///
/// # Panics
///
/// If there is not one forecast per example, or as [`Forecasts::expected_calibration_error_interval`] does.
pub fn calibration_by_group(
    groups: &Groups,
    forecasts: &Forecasts,
    binning: Binning,
    bootstrap: Bootstrap,
    rng: &mut ChaCha8Rng,
) -> Vec<Option<Estimate>> {
    assert_eq!(forecasts.len(), groups.len(), "a forecast for each example");
    let mut of = |group| {
        let own = forecasts.at(&groups.members(group));
        let value = own.expected_calibration_error(binning)?;
        Some(Estimate { value, interval: own.expected_calibration_error_interval(binning, bootstrap, rng) })
    };
    (0..groups.count()).map(&mut of).collect()
}
