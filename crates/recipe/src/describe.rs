//! A flat listing of the keys that a recipe may have.

use serde::Serialize;
use serde_json::Value as Json;

use crate::bounds::shortest;
use crate::fill::inline;
use crate::path::{join, quoted};
use crate::phrase;
use crate::shape::{Field, Shape, Switch, TableShape};

/// One key that a recipe may have.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Key {
    /// Such as `train.optimizer.lr`; `[]` stands for any element of an array, `<key>` for any key of a map.
    pub path: String,
    /// The variant to which it belongs, such as `name = "adam"`; none for a key that is always allowed.
    pub only_with: Option<String>,
    /// Such as `integer`, `array of number` or `"sgd" | "adam"`.
    pub kind: String,
    /// Such as `from 1 to 10000`.
    pub range: Option<String>,
    /// The default as TOML; none if the key is required, or if leaving it out means that it is unset.
    pub default: Option<String>,
    /// Whether it must be given where its table is.
    pub required: bool,
    /// What it is.
    pub doc: String,
    /// For a key that chooses among names: each of them and what it is.
    pub choices: Vec<(String, String)>,
}

/// The keys of a shape, each table's own before those of the tables in it.
pub(crate) fn describe(shape: &Shape) -> Vec<Key> {
    let mut keys = Vec::new();
    inside(shape, "", None, None, &mut keys);
    keys
}

/// Lists the keys of whatever tables a value may hold.
fn inside(shape: &Shape, path: &str, only_with: Option<&str>, default: Option<&Json>, keys: &mut Vec<Key>) {
    match shape {
        Shape::Table(shape) => table(shape, path, only_with, default, keys),
        Shape::Array(array) => {
            for element in array.first.iter().chain([&array.rest]) {
                inside(element, &format!("{path}[]"), only_with, None, keys);
            }
        }
        Shape::Union(shapes) => {
            shapes.iter().for_each(|shape| inside(shape, path, only_with, default, keys));
        }
        _ => {}
    }
}

fn table(
    shape: &TableShape,
    path: &str,
    only_with: Option<&str>,
    default: Option<&Json>,
    keys: &mut Vec<Key>,
) {
    for switch in &shape.switches {
        tag(switch, path, only_with, default, keys);
    }
    let nested = |field: &&Field| field.shape.as_table().is_some();
    for field in shape.fields.iter().filter(|field| !nested(field)).chain(shape.fields.iter().filter(nested))
    {
        self::field(field, path, only_with, keys);
    }
    for switch in &shape.switches {
        for variant in &switch.variants {
            let condition = format!("{} = {}", switch.tag, quoted(&variant.name));
            let condition = only_with.map_or(condition.clone(), |outer| format!("{outer}, {condition}"));
            table(&variant.table, path, Some(&condition), default, keys);
        }
    }
    if let Some(extra) = &shape.extra {
        let any = if path.is_empty() { "<key>".to_owned() } else { format!("{path}.<key>") };
        keys.push(Key {
            path: any.clone(),
            only_with: only_with.map(str::to_owned),
            kind: phrase::kind(extra),
            range: phrase::range(extra),
            default: None,
            required: false,
            doc: String::new(),
            choices: Vec::new(),
        });
        inside(extra, &any, only_with, None, keys);
    }
}

fn tag(switch: &Switch, path: &str, only_with: Option<&str>, default: Option<&Json>, keys: &mut Vec<Key>) {
    let default = default.and_then(|default| default.get(&switch.tag)).map(inline);
    keys.push(Key {
        path: join(path, &switch.tag),
        only_with: only_with.map(str::to_owned),
        kind: switch.names().iter().map(|name| quoted(name)).collect::<Vec<_>>().join(" | "),
        range: None,
        required: true,
        default,
        doc: String::new(),
        choices: switch.variants.iter().map(|variant| (variant.name.clone(), variant.doc.clone())).collect(),
    });
}

fn field(field: &Field, path: &str, only_with: Option<&str>, keys: &mut Vec<Key>) {
    let path = join(path, &field.name);
    let choices = match &field.shape {
        Shape::Choice(choices) => {
            choices.iter().map(|choice| (choice.value.clone(), choice.doc.clone())).collect()
        }
        _ => Vec::new(),
    };
    keys.push(Key {
        path: path.clone(),
        only_with: only_with.map(str::to_owned),
        kind: phrase::kind(&field.shape),
        range: phrase::range(&field.shape),
        default: field.default.as_ref().map(|default| inline(&tidy(default, &field.shape))),
        required: field.required,
        doc: field.doc.clone(),
        choices,
    });
    inside(&field.shape, &path, only_with, field.default.as_ref(), keys);
}

/// A default in which an `f32` has as few digits as it needs, without the keys that are unset.
pub(crate) fn tidy(default: &Json, shape: &Shape) -> Json {
    match (default, shape) {
        (Json::Number(number), Shape::Number { single: true, .. }) => {
            number.as_f64().map_or(default.clone(), |value| Json::from(shortest(value)))
        }
        (Json::Array(items), Shape::Array(array)) => {
            let shape = |index| array.first.get(index).unwrap_or(&array.rest);
            items.iter().enumerate().map(|(index, item)| tidy(item, shape(index))).collect()
        }
        (Json::Object(map), Shape::Table(table)) => {
            let Some(node) = crate::document::Node::from_json(default) else { return default.clone() };
            let crate::document::Value::Table(tags) = &node.value else { return default.clone() };
            let active = table.active(tags);
            let set = map.iter().filter(|(_, value)| !value.is_null());
            let tidied = set.map(|(key, value)| {
                let shape = active.field(key).map_or(&Shape::Any, |field| &field.shape);
                (key.clone(), tidy(value, shape))
            });
            Json::Object(tidied.collect())
        }
        _ => default.clone(),
    }
}
