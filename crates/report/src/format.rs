//! Numbers as people read them.

/// Digits beyond which an `f64` has nothing more to say.
const MOST_DIGITS: u8 = 17;

/// `value` with `digits` decimals, thousands set apart: `12,345.60`.
///
/// NaN is "–" and infinity "∞". Where fixed decimals would show nothing but zeros, or digits that are not there, the
/// number is written as `1.5e-9`.
pub(crate) fn number(value: f64, digits: u8) -> String {
    if value.is_nan() {
        return "–".to_owned();
    }
    let text = magnitude(value.abs(), digits.min(MOST_DIGITS) as usize);
    // A rounded zero has no sign.
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    if value < 0.0 && !zero { format!("\u{2212}{text}") } else { text }
}

/// A fraction as a percentage with `digits` decimals: 0.983 is `98.3%`.
pub(crate) fn percent(fraction: f64, digits: u8) -> String {
    match number(fraction * 100.0, digits) {
        text if fraction.is_nan() => text,
        text => text + "%",
    }
}

/// Two ends of a range of numbers: `0.5–0.75`.
pub(crate) fn range(low: f64, high: f64, digits: u8) -> String {
    format!("{}{}{}", number(low, digits), between(low, high), number(high, digits))
}

/// Two ends of a range of fractions: `98.2–98.7%`.
pub(crate) fn percent_range(low: f64, high: f64, digits: u8) -> String {
    format!("{}{}{}", number(low * 100.0, digits), between(low, high), percent(high, digits))
}

/// An en dash would read as a minus sign before a negative number.
fn between(low: f64, high: f64) -> &'static str {
    if low < 0.0 || high < 0.0 { " to " } else { "–" }
}

fn magnitude(value: f64, digits: usize) -> String {
    if value.is_infinite() {
        return "∞".to_owned();
    }
    let lost = value != 0.0 && value < 0.5 * 10f64.powi(-(digits as i32));
    // Above 2^53 the decimals are an artefact.
    if lost || value >= 9_007_199_254_740_992.0 {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.digits$}");
    let (whole, decimals) = text.split_at(text.find('.').unwrap_or(text.len()));
    group(whole) + decimals
}

/// Commas between groups of three digits.
fn group(whole: &str) -> String {
    let mut grouped = String::with_capacity(whole.len() * 4 / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let cases = [
            (0.0, 0, "0"),
            (-0.0, 2, "0.00"),
            (0.98765, 3, "0.988"),
            (999.0, 0, "999"),
            (60_000.0, 0, "60,000"),
            (1_234_567.891, 2, "1,234,567.89"),
            (-12_345.6, 1, "\u{2212}12,345.6"),
            (-0.004, 2, "\u{2212}4.0e-3"),
            (1.5e-9, 4, "1.5e-9"),
            (2e20, 2, "2.0e20"),
            (f64::NAN, 3, "–"),
            (f64::INFINITY, 3, "∞"),
            (f64::NEG_INFINITY, 3, "\u{2212}∞"),
            (0.1, 255, "0.10000000000000001"),
        ];
        for (value, digits, text) in cases {
            assert_eq!(number(value, digits), text, "{value:?} with {digits} digits");
        }
    }

    #[test]
    fn percentages_and_ranges_read_well() {
        assert_eq!(percent(0.983, 1), "98.3%");
        assert_eq!(percent(f64::NAN, 1), "–");
        assert_eq!(range(0.5, 0.75, 2), "0.50–0.75");
        assert_eq!(percent_range(0.982, 0.987, 1), "98.2–98.7%");
        assert_eq!(range(-1.0, 2.0, 0), "\u{2212}1 to 2");
    }
}
