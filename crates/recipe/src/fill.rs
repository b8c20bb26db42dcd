//! A value as TOML, with every default written out.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::path::{join, key_text, quoted};

/// The value as JSON in which an `f32` has as few digits as it needs.
///
/// # Errors
///
/// Whatever the type's `Serialize` gives.
pub(crate) fn to_json(value: &impl Serialize) -> Result<Json, serde_json::Error> {
    // By way of text: `serde_json::to_value` would widen 0.1 to 0.10000000149011612.
    serde_json::from_str(&serde_json::to_string(value)?)
}

/// The complete TOML text of a table: scalars before tables, otherwise in the order of the type's fields.
pub(crate) fn to_toml(json: &Json) -> String {
    let mut out = String::new();
    if let Json::Object(map) = json {
        table(map, "", &mut out);
    }
    out
}

fn table(map: &Map<String, Json>, path: &str, out: &mut String) {
    for (key, value) in map.iter().filter(|(_, value)| !value.is_null() && !is_section(value)) {
        out.push_str(&format!("{} = {}\n", key_text(key), inline(value)));
    }
    for (key, value) in map.iter().filter(|(_, value)| is_section(value)) {
        let path = join(path, key);
        match value {
            Json::Object(inner) => {
                // A header that a table within it does not already imply.
                let own = inner.values().any(|value| !value.is_null() && !is_section(value));
                if own || !inner.values().any(is_section) {
                    header(&format!("[{path}]"), out);
                }
                table(inner, &path, out);
            }
            Json::Array(items) => {
                for item in items {
                    header(&format!("[[{path}]]"), out);
                    if let Json::Object(inner) = item {
                        table(inner, &path, out);
                    }
                }
            }
            _ => {}
        }
    }
}

fn header(header: &str, out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(header);
    out.push('\n');
}

/// Whether the value is written under a header of its own.
fn is_section(value: &Json) -> bool {
    match value {
        Json::Object(_) => true,
        Json::Array(items) => !items.is_empty() && items.iter().all(Json::is_object),
        _ => false,
    }
}

/// A value on one line.
pub(crate) fn inline(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => format!("{float:?}"),
            _ => number.to_string(),
        },
        Json::String(text) => quoted(text),
        Json::Array(items) => {
            let items = items.iter().filter(|item| !item.is_null()).map(inline);
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Json::Object(map) if map.values().all(Json::is_null) => "{}".to_owned(),
        Json::Object(map) => {
            let pairs = map.iter().filter(|(_, value)| !value.is_null());
            let pairs = pairs.map(|(key, value)| format!("{} = {}", key_text(key), inline(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}
