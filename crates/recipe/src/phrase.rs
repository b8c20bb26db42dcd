//! Shapes and values in words.

use std::fmt::Display;

use crate::document::{Node, Value};
use crate::path::quoted;
use crate::shape::{Bound, Range, Shape};

/// Integer bounds at or beyond these are those of the machine, and go without saying.
const UNSAID: std::ops::RangeInclusive<i128> = i32::MIN as i128 + 1..=i32::MAX as i128 - 1;

/// What a value must be: `an integer from 1 to 9`.
pub(crate) fn must_be(shape: &Shape) -> String {
    match shape {
        Shape::Any => "any value".to_owned(),
        Shape::Bool => "true or false".to_owned(),
        Shape::Integer(_) => with_range("an integer", shape),
        Shape::Number { .. } => with_range("a number", shape),
        Shape::Text { .. } => with_range("a string", shape),
        Shape::Choice(choices) => {
            format!("one of {}", list(choices.iter().map(|choice| quoted(&choice.value))))
        }
        Shape::Array(_) => with_range("an array", shape),
        Shape::Table(table) => match table.shorthand() {
            Some(switch) => {
                format!("a table or one of {}", list(switch.names().iter().map(|name| quoted(name))))
            }
            None => "a table".to_owned(),
        },
        Shape::Union(shapes) => shapes.iter().map(must_be).collect::<Vec<_>>().join(" or "),
    }
}

fn with_range(noun: &str, shape: &Shape) -> String {
    match range(shape) {
        Some(range) if range.starts_with("at ") => format!("{noun} of {range}"),
        Some(range) => format!("{noun} {range}"),
        None => noun.to_owned(),
    }
}

/// The bounds of a value, of a text's length or of an array's: `from 1 to 9`.
pub(crate) fn range(shape: &Shape) -> Option<String> {
    match shape {
        Shape::Integer(range) => {
            let said = |bound: &Bound<i128>| UNSAID.contains(&bound.at);
            bounds(Range { low: range.low.filter(said), high: range.high.filter(said) }, i128::to_string)
        }
        Shape::Number { range, .. } => bounds(*range, f64::to_string),
        Shape::Text { least, most } => length(*least, *most, "character"),
        Shape::Array(array) => length(array.least, array.most, "element"),
        _ => None,
    }
}

fn bounds<N: Copy + Display>(range: Range<N>, show: fn(&N) -> String) -> Option<String> {
    let low = |bound: Bound<N>| {
        format!("{} {}", if bound.open { "greater than" } else { "at least" }, show(&bound.at))
    };
    let high =
        |bound: Bound<N>| format!("{} {}", if bound.open { "less than" } else { "at most" }, show(&bound.at));
    match (range.low, range.high) {
        (None, None) => None,
        (Some(bound), None) => Some(low(bound)),
        (None, Some(bound)) => Some(high(bound)),
        (Some(least), Some(most)) if !least.open && !most.open => {
            Some(format!("from {} to {}", show(&least.at), show(&most.at)))
        }
        (Some(least), Some(most)) => Some(format!("{} and {}", low(least), high(most))),
    }
}

fn length(least: u64, most: Option<u64>, unit: &str) -> Option<String> {
    match (least, most) {
        (0, None) => None,
        (least, None) => Some(format!("of at least {}", counted(least, unit))),
        (0, Some(most)) => Some(format!("of at most {}", counted(most, unit))),
        (least, Some(most)) if least == most => Some(format!("of {}", counted(most, unit))),
        (least, Some(most)) => Some(format!("of {least} to {}", counted(most, unit))),
    }
}

fn counted(count: u64, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// The type of a key in one word or two: `integer`, `array of number`.
pub(crate) fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Any => "any".to_owned(),
        Shape::Bool => "boolean".to_owned(),
        Shape::Integer(_) => "integer".to_owned(),
        Shape::Number { .. } => "number".to_owned(),
        Shape::Text { .. } => "string".to_owned(),
        Shape::Choice(choices) => {
            choices.iter().map(|choice| quoted(&choice.value)).collect::<Vec<_>>().join(" | ")
        }
        Shape::Array(array) => {
            let element = array.first.first().unwrap_or(&array.rest);
            if *element == Shape::Any { "array".to_owned() } else { format!("array of {}", kind(element)) }
        }
        Shape::Table(_) => "table".to_owned(),
        Shape::Union(shapes) => shapes.iter().map(kind).collect::<Vec<_>>().join(" | "),
    }
}

/// What was found in place of what must be.
pub(crate) fn found(node: &Node) -> String {
    match &node.value {
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Huge => "an integer beyond 64 bits".to_owned(),
        Value::Float(value) => format!("{value:?}"),
        Value::Text(text) => format!("the string {}", short(text)),
        Value::Date(date) => format!("the date {date}"),
        Value::Array(items) => {
            format!("an array of {}", counted(u64::try_from(items.len()).unwrap_or(u64::MAX), "element"))
        }
        Value::Table(_) => "a table".to_owned(),
    }
}

/// A text in quotes, cut if it is long.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => quoted(&format!("{}…", text.get(..end).unwrap_or_default())),
        None => quoted(text),
    }
}

/// Words with commas between them.
pub(crate) fn list(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut out = String::new();
    for word in words {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(word.as_ref());
    }
    out
}
