//! What a recipe says before it is checked.

use schemars::JsonSchema;
use serde_json::Value as Json;

use crate::check::raw_schema;
use crate::compile::compile;
use crate::document::{Node, Value, parse};
use crate::overrides;
use crate::problem::Sink;

/// What a recipe of type `T` and the overrides on top of it say, as far as it can be understood: nothing is checked, no
/// default is filled in, and dates are texts. It is for a caller that finds out what is to be filled in before
/// [`check`](crate::check()).
#[must_use]
pub fn peek<T: JsonSchema>(text: &str, overrides: &[String]) -> Json {
    // What is wrong is told by the check.
    let mut sink = Sink::default();
    let mut parsed = parse(text.strip_prefix('\u{feff}').unwrap_or(text), &mut sink);
    overrides::apply(&mut parsed.root, &compile(&raw_schema::<T>()), overrides, &mut sink);
    json(&parsed.root)
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(value) => match i64::try_from(*value) {
            Ok(value) => value.into(),
            Err(_) => u64::try_from(*value).map_or(Json::Null, Json::from),
        },
        Value::Huge => Json::Null,
        Value::Float(value) => (*value).into(),
        Value::Text(text) | Value::Date(text) => text.clone().into(),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Table(table) => table
            .0
            .iter()
            .map(|entry| (entry.key.clone(), json(&entry.node)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Recipe {
        epochs: u32,
        data: std::collections::BTreeMap<String, String>,
    }

    #[test]
    fn what_stands_there_is_seen_whether_right_or_wrong() {
        let text = "epoch = -3\n[data]\npath = \"a\"\nbig = 99999999999999999999999\n[[list]]\nx = 1.5\n";
        let seen = peek::<Recipe>(
            text,
            &["data.path=b".to_owned(), "new.key=true".to_owned(), "nonsense".to_owned()],
        );
        let expected = serde_json::json!({
            "epoch": -3, "data": { "path": "b", "big": null }, "list": [{ "x": 1.5 }], "new": { "key": true },
        });
        assert_eq!(seen, expected);
    }
}
