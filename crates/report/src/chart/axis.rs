//! Where an axis begins and ends, and which numbers stand along it.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::format;

/// An axis: its ends and its ticks, by rising position. On a logarithmic axis positions are decimal exponents.
///
/// It stands in for the axes of plotters, whose search for ticks may not end where a range is tiny beside its numbers.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        from + (f64::from(to - from) * share).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        self.ticks.iter().map(|(position, _)| *position).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, position: &f64) -> String {
        self.ticks.iter().find(|tick| tick.0 == *position).map(|tick| tick.1.clone()).unwrap_or_default()
    }
}

impl Axis {
    /// An axis over finite `values` with about `wanted` ticks at 1, 2 or 5 times a power of ten; `None` without values.
    ///
    /// With `round`, it ends at ticks, and begins at zero where that costs little room.
    pub(super) fn linear(
        values: impl Iterator<Item = f64> + Clone,
        wanted: u32,
        round: bool,
    ) -> Option<Self> {
        let (mut low, mut high) = ends(values.clone())?;
        if round && low > 0.0 && low < 0.4 * high {
            low = 0.0;
        }
        let whole = values.clone().all(|v| v.fract() == 0.0 && v.abs() < 1e15);
        let rough = step((high - low) / f64::from(wanted));
        // Nobody looks for the loss of epoch 2.5.
        let step = if whole { rough.max(1.0) } else { rough };
        if round {
            (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        } else {
            let room = (high - low) * 0.02;
            (low, high) = (low - room, high + room);
        }
        Some(Self { low, high, ticks: ticks(low, high, step) })
    }

    /// An axis over base-ten logarithms: ticks at powers of ten, or at 1, 2 and 5 times those where they are few.
    pub(super) fn logarithmic(logarithms: impl Iterator<Item = f64> + Clone, wanted: u32) -> Option<Self> {
        let (low, high) = ends(logarithms)?;
        let every = ((high - low) / f64::from(wanted)).ceil() as i32;
        let room = (high - low) * 0.05;
        let (low, high) = (low - room, high + room);
        let factors: &[f64] = if high - low < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let decades = (low.floor() as i32..=high.ceil() as i32).filter(|d| d.rem_euclid(every) == 0);
        let ticks: Vec<_> = decades
            .flat_map(|decade| factors.iter().map(move |factor| factor.log10() + f64::from(decade)))
            .filter(|position| (low..=high).contains(position))
            .map(|position| (position, logarithmic_label(position)))
            .collect();
        if ticks.len() >= 2 {
            return Some(Self { low, high, ticks });
        }
        // Within a fraction of a decade the axis is all but linear, and so are its ticks.
        let (from, to) = (10f64.powf(low), 10f64.powf(high));
        let linear = self::ticks(from, to, step((to - from) / f64::from(wanted)));
        let ticks = linear.into_iter().map(|(value, label)| (value.log10(), label)).collect();
        Some(Self { low, high, ticks })
    }

    /// Characters of the longest label.
    pub(super) fn widest_label(&self) -> usize {
        self.ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0)
    }
}

/// Lowest and highest value, moved apart if they (nearly) coincide: ticks between them must differ from each other.
fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return None;
    }
    let magnitude = low.abs().max(high.abs());
    if high - low > magnitude * 1e-9 && high - low > 1e-100 {
        return Some((low, high));
    }
    let room = if magnitude > 1e-90 { magnitude * 0.1 } else { 0.5 };
    Some((low - room, high + room))
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `least`.
fn step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let fits = |factor: &f64| factor * power >= least * (1.0 - 1e-9);
    [1.0, 2.0, 5.0].into_iter().find(fits).unwrap_or(10.0) * power
}

/// Multiples of `step` between `low` and `high`.
fn ticks(low: f64, high: f64, step: f64) -> Vec<(f64, String)> {
    // Rounding must lose no tick that stands right at an end.
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    let magnitude = low.abs().max(high.abs());
    (0..=(last - first) as u32)
        .map(|index| {
            let value = (first + f64::from(index)) * step;
            (value.clamp(low, high), label(value, step, magnitude))
        })
        .collect()
}

/// A tick's number with just the decimals that its step needs, on an axis of numbers up to `magnitude`.
fn label(value: f64, step: f64, magnitude: f64) -> String {
    if value.abs() < step / 2.0 {
        return "0".to_owned();
    }
    if (1e-3..1e7).contains(&magnitude) {
        let decimals = -(step.log10() + 1e-9).floor();
        return format::number(value, decimals.clamp(0.0, 12.0) as u8);
    }
    let digits = (magnitude.log10().floor() - (step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.digits$e}").replace('-', "\u{2212}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if mantissa.contains('.') => {
            format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

fn logarithmic_label(position: f64) -> String {
    let value = 10f64.powf(position);
    label(value, 10f64.powf((position + 1e-9).floor()), value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn linear_axes_have_round_ticks() {
        let axis = |values: &[f64]| Axis::linear(values.iter().copied(), 5, true).unwrap();
        assert_eq!(labels(&axis(&[0.03, 0.94])), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&axis(&[0.912, 0.988])), ["0.90", "0.92", "0.94", "0.96", "0.98", "1.00"]);
        assert_eq!(labels(&axis(&[-30.0, 60_000.0])), ["\u{2212}20,000", "0", "20,000", "40,000", "60,000"]);
        assert_eq!(
            labels(&axis(&[2e-7, 9e-7])),
            ["0", "2e\u{2212}7", "4e\u{2212}7", "6e\u{2212}7", "8e\u{2212}7", "1e\u{2212}6"]
        );
    }

    #[test]
    fn whole_numbers_have_whole_ticks() {
        let axis = Axis::linear([1.0, 2.0, 3.0].into_iter(), 9, false).unwrap();
        assert_eq!(labels(&axis), ["1", "2", "3"]);
    }

    #[test]
    fn logarithmic_axes_have_powers_of_ten() {
        let axis = |values: &[f64]| Axis::logarithmic(values.iter().map(|v| v.log10()), 6).unwrap();
        assert_eq!(labels(&axis(&[0.001, 3.0, 1000.0])), ["0.001", "0.01", "0.1", "1", "10", "100", "1,000"]);
        assert_eq!(labels(&axis(&[0.04, 0.9])), ["0.05", "0.1", "0.2", "0.5", "1"]);
        assert_eq!(labels(&axis(&[2.1, 2.9])), ["2.2", "2.4", "2.6", "2.8"]);
    }

    #[test]
    fn nothing_has_no_axis_and_a_single_value_has_one_around_it() {
        assert!(Axis::linear(std::iter::empty(), 5, true).is_none());
        for value in [0.0, 7.0, -1e50, 1e-95] {
            let axis = Axis::linear(std::iter::once(value), 5, true).unwrap();
            assert!(axis.low < value && value < axis.high, "{value} in {axis:?}");
        }
    }

    proptest! {
        #[test]
        fn ticks_are_few_distinct_and_within_the_axis(
            values in prop::collection::vec(prop_oneof![-1e3..1e3f64, -1e99..1e99f64, 1e16..1.000001e16f64, -1e-90..1e-90f64], 1..6),
            wanted in 3u32..10,
            round: bool,
        ) {
            let linear = Axis::linear(values.iter().copied(), wanted, round).unwrap();
            let logarithmic = Axis::logarithmic(values.iter().filter(|v| **v > 0.0).map(|v| v.log10()), wanted);
            for axis in std::iter::once(linear).chain(logarithmic) {
                prop_assert!(axis.low.is_finite() && axis.high.is_finite() && axis.low < axis.high);
                let positions: Vec<f64> = axis.ticks.iter().map(|tick| tick.0).collect();
                prop_assert!((1..=3 * wanted as usize + 3).contains(&positions.len()), "{} ticks", positions.len());
                prop_assert!(positions.is_sorted_by(|a, b| a < b));
                prop_assert!(positions.iter().all(|p| (axis.low..=axis.high).contains(p)));
            }
        }
    }
}
