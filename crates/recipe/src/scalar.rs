//! Holds single values against their shape.

use serde_json::{Number, Value as Json};

use crate::document::{Node, Value};
use crate::phrase::must_be;
use crate::shape::{Range, Shape};

/// Any number but infinity and NaN.
pub(crate) const FINITE: Shape = Shape::Number { range: Range { low: None, high: None }, single: false };

/// The value as JSON if it fits the shape.
pub(crate) fn accept(node: &Node, shape: &Shape) -> Option<Json> {
    let fits = match (shape, &node.value) {
        (Shape::Bool, Value::Bool(_)) => true,
        (Shape::Integer(range), Value::Integer(value)) => range.contains(*value),
        (Shape::Number { range, single }, Value::Integer(_) | Value::Float(_)) => {
            return number(node).filter(|value| fits_number(*value, range, *single)).and_then(float);
        }
        (Shape::Text { least, most }, Value::Text(text)) => {
            let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
            length >= *least && most.is_none_or(|most| length <= most)
        }
        _ => false,
    };
    if fits { plain(node) } else { None }
}

fn fits_number(value: f64, range: &Range<f64>, single: bool) -> bool {
    let most = if single { f64::from(f32::MAX) } else { f64::MAX };
    value.abs() <= most && range.contains(value)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an integer where a number is expected is rounded to the nearest"
)]
fn number(node: &Node) -> Option<f64> {
    match node.value {
        Value::Integer(value) => Some(value as f64),
        Value::Float(value) => Some(value),
        _ => None,
    }
}

fn float(value: f64) -> Option<Json> {
    Number::from_f64(value).map(Json::Number)
}

/// A single value as JSON; `None` for infinity, NaN, arrays and tables.
pub(crate) fn plain(node: &Node) -> Option<Json> {
    match &node.value {
        Value::Bool(value) => Some(Json::Bool(*value)),
        Value::Integer(value) => Number::from_i128(*value).map(Json::Number),
        Value::Float(value) => float(*value),
        Value::Text(text) | Value::Date(text) => Some(Json::String(text.clone())),
        Value::Huge | Value::Array(_) | Value::Table(_) => None,
    }
}

/// Whether the value is of the kind that the shape describes, in range or not.
pub(crate) fn same_kind(node: &Node, shape: &Shape) -> bool {
    match (shape, &node.value) {
        (Shape::Any, _)
        | (Shape::Bool, Value::Bool(_))
        | (Shape::Integer(_), Value::Integer(_) | Value::Huge)
        | (Shape::Number { .. }, Value::Integer(_) | Value::Huge | Value::Float(_))
        | (Shape::Text { .. } | Shape::Choice(_), Value::Text(_))
        | (Shape::Array(_), Value::Array(_))
        | (Shape::Table(_), Value::Table(_)) => true,
        (Shape::Table(table), Value::Text(_)) => table.shorthand().is_some(),
        (Shape::Union(shapes), _) => shapes.iter().any(|shape| same_kind(node, shape)),
        _ => false,
    }
}

/// What a number must be where infinity, NaN or sheer size is what is wrong with it.
pub(crate) fn unfit(node: &Node, shape: &Shape) -> Option<String> {
    let Shape::Number { range, single } = shape else { return None };
    let value = number(node)?;
    if !value.is_finite() {
        return Some(must_be(shape).replacen("a number", "a finite number", 1));
    }
    let huge = *single && range.contains(value) && !fits_number(value, range, true);
    huge.then(|| "a number that fits into 32 bits".to_owned())
}

/// What may have been meant.
pub(crate) fn hint(node: &Node, shape: &Shape) -> Option<String> {
    let written = match &node.value {
        Value::Text(text) => text.trim(),
        Value::Float(value) => {
            let integral = value.is_finite() && value.fract() == 0.0 && value.abs() < 1e15;
            let wanted = matches!(shape, Shape::Integer(_)) && integral;
            return wanted.then(|| format!("write {value}, without a fraction"));
        }
        _ => return None,
    };
    let unquoted = match shape {
        Shape::Bool => written.parse::<bool>().is_ok(),
        Shape::Integer(_) => written.parse::<i64>().is_ok(),
        Shape::Number { .. } => written.parse::<f64>().is_ok_and(f64::is_finite),
        _ => false,
    };
    unquoted.then(|| format!("write {written}, without quotes"))
}
