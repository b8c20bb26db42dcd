//! Overrides such as `train.optimizer.name=adam`, set on top of the file.

use crate::document::{Entry, Node, Place, Table, Value, parse_key, parse_value};
use crate::path::join;
use crate::phrase::found;
use crate::problem::{Raw, Sink};
use crate::shape::{Shape, Switch, TableShape};
use crate::walk::bare_name;

/// Applies the overrides in turn; those that cannot be go to the sink.
pub(crate) fn apply(root: &mut Node, shape: &Shape, overrides: &[String], sink: &mut Sink) {
    for (index, text) in overrides.iter().enumerate() {
        let place = Place::Override(index);
        let parsed = parse(text, &place, sink);
        let path = parsed.as_ref().map_or(String::new(), |(keys, _)| dotted(keys));
        let done = parsed.and_then(|(keys, value)| set(root, Some(shape), "", &keys, value));
        if let Err(message) = done {
            sink.push(Raw { place, path, message, help: None });
        }
    }
}

fn dotted(keys: &[String]) -> String {
    keys.iter().fold(String::new(), |path, key| join(&path, key))
}

fn parse(text: &str, place: &Place, sink: &mut Sink) -> Result<(Vec<String>, Node), String> {
    let (key, value) = text.split_once('=').ok_or("an override is written key=value")?;
    let keys = parse_key(key.trim()).ok_or("the key before `=` must be a dotted key such as train.epochs")?;
    let value = value.trim();
    if value.is_empty() {
        return Err("there is no value after `=`".to_owned());
    }
    let node = match parse_value(value, place, sink) {
        Ok(node) => node,
        Err(message) if value.starts_with(['"', '\'', '[', '{']) => {
            return Err(format!("the value is not valid TOML: {message}"));
        }
        Err(_) => Node { value: Value::Text(value.to_owned()), place: place.clone() },
    };
    Ok((keys, node))
}

/// Sets the value at `keys` within `node`, which is at `path`.
fn set(
    node: &mut Node,
    shape: Option<&Shape>,
    path: &str,
    keys: &[String],
    value: Node,
) -> Result<(), String> {
    let shape = shape.and_then(Shape::as_table);
    if let (Value::Text(_), Some(switch)) = (&node.value, shape.and_then(TableShape::shorthand)) {
        node.value = Value::Table(bare_name(switch, node));
    }
    let is = found(node);
    let Value::Table(table) = &mut node.value else {
        return Err(format!("`{path}` is {is}, not a table with keys to set"));
    };
    let [key, rest @ ..] = keys else { return Ok(()) };
    if rest.is_empty() {
        assign(table, shape, key, value);
        return Ok(());
    }
    let (inner, default) = match shape.and_then(|shape| shape.active(table).field(key)) {
        Some(field) => (Some(&field.shape), field.default.as_ref()),
        None => (shape.and_then(|shape| shape.extra.as_deref()), None),
    };
    let position = table.position(key).unwrap_or_else(|| {
        let node = default.and_then(Node::from_json).unwrap_or_else(Node::empty);
        table.0.push(Entry { key: key.clone(), key_place: value.place.clone(), node });
        table.0.len() - 1
    });
    match table.0.get_mut(position) {
        Some(entry) => set(&mut entry.node, inner, &join(path, key), rest, value),
        None => Ok(()),
    }
}

/// Sets one key of a table.
fn assign(table: &mut Table, shape: Option<&TableShape>, key: &str, value: Node) {
    let mut tagged = None;
    if let Some(shape) = shape {
        let active = shape.active(table);
        if let (Some(switch), Value::Text(name)) = (active.switch(key), &value.value) {
            forget_old_variant(table, switch, name);
        }
        tagged = active.field(key).and_then(|field| field.shape.as_table());
    }
    let Some(entry) = table.position(key).and_then(|position| table.0.get_mut(position)) else {
        table.0.push(Entry { key: key.to_owned(), key_place: value.place.clone(), node: value });
        return;
    };
    // A bare name in place of a table changes its tag and leaves what both variants know.
    if let (Value::Table(inner), Value::Text(_), Some(shape)) = (&mut entry.node.value, &value.value, tagged)
        && let Some(switch) = shape.shorthand()
    {
        return assign(inner, Some(shape), &switch.tag, value);
    }
    entry.key_place = value.place.clone();
    entry.node = value;
}

/// Drops the keys of the variant named so far that the new one does not know, and every default of it.
fn forget_old_variant(table: &mut Table, switch: &Switch, name: &str) {
    let old = table.text(&switch.tag).filter(|old| *old != name).and_then(|old| switch.variant(old));
    let (Some(old), Some(new)) = (old, switch.variant(name)) else { return };
    table.0.retain(|entry| match entry.key_place {
        Place::Override(_) => true,
        Place::File(_) => !old.table.knows(&entry.key) || new.table.knows(&entry.key),
        Place::Nowhere => !old.table.knows(&entry.key),
    });
}
