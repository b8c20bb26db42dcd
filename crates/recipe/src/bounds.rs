//! The bounds of numbers in a schema.

use serde_json::{Map, Value as Json};

use crate::shape::{Bound, Range, Shape};

/// An integer, within the bounds given and those of its type.
pub(crate) fn integer(map: &Map<String, Json>) -> Shape {
    let (lowest, highest) = match map.get("format").and_then(Json::as_str) {
        Some("uint8") => (0, i128::from(u8::MAX)),
        Some("uint16") => (0, i128::from(u16::MAX)),
        Some("uint32") => (0, i128::from(u32::MAX)),
        Some("uint" | "uint64") => (0, i128::from(u64::MAX)),
        Some("uint128") => (0, i128::from(u64::MAX)),
        Some("int8") => (i128::from(i8::MIN), i128::from(i8::MAX)),
        Some("int16") => (i128::from(i16::MIN), i128::from(i16::MAX)),
        Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Some("int" | "int64") => (i128::from(i64::MIN), i128::from(i64::MAX)),
        _ => (i128::from(i64::MIN), i128::from(u64::MAX)),
    };
    let get = |keyword: &str, up: bool| map.get(keyword).and_then(|value| whole(value, up));
    let low = [get("minimum", true), get("exclusiveMinimum", false).map(|bound| bound + 1)];
    let high = [get("maximum", false), get("exclusiveMaximum", true).map(|bound| bound - 1)];
    let bound = |at| Some(Bound { at, open: false });
    Shape::Integer(Range {
        low: bound(low.into_iter().flatten().fold(lowest, i128::max)),
        high: bound(high.into_iter().flatten().fold(highest, i128::min)),
    })
}

/// The bound as an integer, rounded up or down if it is none.
fn whole(value: &Json, up: bool) -> Option<i128> {
    value.as_number().and_then(serde_json::Number::as_i128).or_else(|| {
        let bound = value.as_f64()?;
        let rounded = if up { bound.ceil() } else { bound.floor() };
        // Casts from float saturate, and the sum of a bound and one must not overflow.
        #[expect(clippy::cast_possible_truncation, reason = "saturates far outside of any integer type")]
        Some(rounded.clamp(-1e30, 1e30) as i128)
    })
}

/// A number within the bounds given.
pub(crate) fn number(map: &Map<String, Json>) -> Shape {
    let single = map.get("format").and_then(Json::as_str) == Some("float");
    let get = |keyword: &str, open: bool| {
        let at = map.get(keyword)?.as_f64()?;
        Some(Bound { at: if single { shortest(at) } else { at }, open })
    };
    let tighter = |left: Option<Bound<f64>>, right: Option<Bound<f64>>, low: bool| match (left, right) {
        (Some(left), Some(right)) if (left.at < right.at) == low => Some(right),
        (Some(left), _) => Some(left),
        (None, right) => right,
    };
    let range = Range {
        low: tighter(get("exclusiveMinimum", true), get("minimum", false), true),
        high: tighter(get("exclusiveMaximum", true), get("maximum", false), false),
    };
    Shape::Number { range, single }
}

/// The number with the fewest digits that is the same `f32`: 0.1, not 0.10000000149011612.
#[expect(clippy::cast_possible_truncation, reason = "the point of it")]
pub(crate) fn shortest(value: f64) -> f64 {
    (value as f32).to_string().parse().unwrap_or(value)
}
