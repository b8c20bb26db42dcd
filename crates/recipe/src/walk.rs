//! Holds a recipe against its shape, and makes the JSON from which serde builds the value.

use serde_json::{Map, Value as Json};

use crate::document::{Entry, Node, Place, Table, Value};
use crate::path::{in_table, join, key_text, quoted};
use crate::phrase::{found, list, must_be, short};
use crate::problem::{Raw, Sink};
use crate::scalar;
use crate::shape::{Active, ArrayShape, Field, Shape, Switch, TableShape};
use crate::suggest::nearest;

/// Checks a value and gives it in the form that serde expects; what is wrong goes to the sink.
pub(crate) struct Walker<'w> {
    pub(crate) sink: &'w mut Sink,
    /// False where a table may have lost keys to an earlier mistake.
    pub(crate) want_all: bool,
}

/// Which value is being looked at.
pub(crate) struct Spot {
    pub(crate) path: String,
    /// For a table, where its name stands.
    pub(crate) place: Place,
}

impl Walker<'_> {
    /// Checks one value.
    pub(crate) fn value(&mut self, node: &Node, shape: &Shape, spot: &Spot) -> Json {
        match (shape, &node.value) {
            (Shape::Table(shape), Value::Table(table)) => self.table(table, shape, spot),
            (Shape::Table(shape), Value::Text(name)) => match shape.shorthand() {
                Some(switch) if switch.variant(name).is_some() => {
                    let table = bare_name(switch, node);
                    self.table(&table, shape, spot)
                }
                Some(switch) => self.unknown_value(name, &switch.names(), &spot.path, &node.place),
                None => self.mismatch(node, &Shape::Table(shape.clone()), spot),
            },
            (Shape::Array(shape), Value::Array(items)) => self.array(node, items, shape, spot),
            (Shape::Choice(choices), Value::Text(text)) => {
                if choices.iter().any(|choice| choice.value == *text) {
                    return Json::String(text.clone());
                }
                let names: Vec<_> = choices.iter().map(|choice| choice.value.as_str()).collect();
                self.unknown_value(text, &names, &spot.path, &node.place)
            }
            (Shape::Union(shapes), _) => self.union(node, shapes, spot),
            (Shape::Any, _) => self.anything(node, spot),
            _ => scalar::accept(node, shape).unwrap_or_else(|| self.mismatch(node, shape, spot)),
        }
    }

    fn table(&mut self, table: &Table, shape: &TableShape, spot: &Spot) -> Json {
        let active = shape.active(table);
        let mut out = Map::new();
        for switch in &active.open {
            self.open_switch(switch, table, spot);
        }
        for entry in &table.0 {
            let inner = Spot { path: join(&spot.path, &entry.key), place: entry.key_place.clone() };
            if let Some(switch) = active.switch(&entry.key) {
                if let Value::Text(name) = &entry.node.value {
                    out.insert(switch.tag.clone(), Json::String(name.clone()));
                }
            } else if let Some(field) = active.fields.iter().find(|field| field.name == entry.key) {
                out.insert(entry.key.clone(), self.value(&entry.node, &field.shape, &inner));
            } else if active.doubtful.iter().any(|field| field.name == entry.key) {
                // It may be right once the tag is.
            } else if let Some(extra) = active.extra {
                out.insert(entry.key.clone(), self.value(&entry.node, extra, &inner));
            } else {
                self.unknown_key(entry, table, &active, spot);
            }
        }
        for field in &active.fields {
            if field.required && table.get(&field.name).is_none() {
                self.missing(&field.name, &must_be(&field.shape), Some(field), spot);
            }
        }
        Json::Object(out)
    }

    fn open_switch(&mut self, switch: &Switch, table: &Table, spot: &Spot) {
        let names = switch.names();
        let Some(entry) = table.get(&switch.tag) else {
            let one = format!("one of {}", list(names.iter().map(|name| quoted(name))));
            return self.missing(&switch.tag, &one, None, spot);
        };
        let path = join(&spot.path, &switch.tag);
        match &entry.node.value {
            Value::Text(name) => {
                self.unknown_value(name, &names, &path, &entry.node.place);
            }
            _ => {
                let message = format!("`{path}` must be a string, found {}", found(&entry.node));
                let help = format!("allowed: {}", list(names.iter().map(|name| quoted(name))));
                self.push(&entry.node.place, path, message, Some(help));
            }
        }
    }

    fn array(&mut self, node: &Node, items: &[Node], shape: &ArrayShape, spot: &Spot) -> Json {
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        if count < shape.least || shape.most.is_some_and(|most| count > most) {
            self.mismatch(node, &Shape::Array(Box::new(shape.clone())), spot);
        }
        let item = |(index, item): (usize, &Node)| {
            let inner = Spot { path: format!("{}[{index}]", spot.path), place: item.place.clone() };
            self.value(item, shape.first.get(index).unwrap_or(&shape.rest), &inner)
        };
        Json::Array(items.iter().enumerate().map(item).collect())
    }

    /// The first shape that fits; if none does, the mistakes against the only one of the right kind.
    fn union(&mut self, node: &Node, shapes: &[Shape], spot: &Spot) -> Json {
        for shape in shapes {
            let mut sink = Sink::default();
            let json = Walker { sink: &mut sink, want_all: true }.value(node, shape, spot);
            if sink.is_empty() {
                return json;
            }
        }
        let mut same_kind = shapes.iter().filter(|shape| scalar::same_kind(node, shape));
        match (same_kind.next(), same_kind.next()) {
            (Some(shape), None) => self.value(node, shape, spot),
            _ => self.mismatch(node, &Shape::Union(shapes.to_vec()), spot),
        }
    }

    fn anything(&mut self, node: &Node, spot: &Spot) -> Json {
        let inner = |name: String, place: &Place| Spot { path: name, place: place.clone() };
        match &node.value {
            Value::Array(items) => Json::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        self.anything(item, &inner(format!("{}[{index}]", spot.path), &item.place))
                    })
                    .collect(),
            ),
            Value::Table(table) => Json::Object(
                table
                    .0
                    .iter()
                    .map(|entry| {
                        let spot = inner(join(&spot.path, &entry.key), &entry.key_place);
                        (entry.key.clone(), self.anything(&entry.node, &spot))
                    })
                    .collect(),
            ),
            _ => scalar::plain(node).unwrap_or_else(|| self.mismatch(node, &scalar::FINITE, spot)),
        }
    }

    fn mismatch(&mut self, node: &Node, shape: &Shape, spot: &Spot) -> Json {
        if matches!(node.value, Value::Huge) {
            return Json::Null;
        }
        let place = match node.value {
            Value::Table(_) => &spot.place,
            _ => &node.place,
        };
        let what = if spot.path.is_empty() { "the recipe".to_owned() } else { format!("`{}`", spot.path) };
        let must_be = scalar::unfit(node, shape).unwrap_or_else(|| must_be(shape));
        let message = format!("{what} must be {must_be}, found {}", found(node));
        self.push(place, spot.path.clone(), message, scalar::hint(node, shape));
        Json::Null
    }

    fn unknown_value(&mut self, text: &str, names: &[&str], path: &str, place: &Place) -> Json {
        let message = format!("unknown value {} for `{path}`", short(text));
        let allowed = format!("allowed: {}", list(names.iter().map(|name| quoted(name))));
        let help = match nearest(text, names) {
            Some(name) => format!("did you mean {}? {allowed}", quoted(name)),
            None => allowed,
        };
        self.push(place, path.to_owned(), message, Some(help));
        Json::Null
    }

    fn unknown_key(&mut self, entry: &Entry, table: &Table, active: &Active<'_>, spot: &Spot) {
        let message = format!("unknown key `{}` {}", key_text(&entry.key), in_table(&spot.path));
        let allowed = active.keys();
        // A tag that is there already is not what was meant to be added.
        let given = |key: &str| active.switch(key).is_some() && table.get(key).is_some();
        let names = allowed.iter().filter(|key| !given(key)).map(|key| key_text(key));
        let list = format!("allowed: {}", list(names));
        let elsewhere = active.settled.iter().find_map(|(switch, chosen)| {
            let others = switch.variants.iter().filter(|other| other.name != chosen.name);
            let others = others.filter(|other| other.table.knows(&entry.key));
            let names: Vec<_> = others.map(|variant| quoted(&variant.name)).collect();
            (!names.is_empty()).then(|| {
                format!("only with {} = {}, not {}; ", switch.tag, names.join(" or "), quoted(&chosen.name))
            })
        });
        let help = match (elsewhere, nearest(&entry.key, &allowed)) {
            (Some(elsewhere), _) => format!("{elsewhere}{list}"),
            (None, Some(key)) => format!("did you mean `{}`? {list}", key_text(key)),
            (None, None) => list,
        };
        self.push(&entry.key_place, join(&spot.path, &entry.key), message, Some(help));
    }

    fn missing(&mut self, key: &str, must_be: &str, field: Option<&Field>, spot: &Spot) {
        if !self.want_all {
            return;
        }
        let path = join(&spot.path, key);
        let message = match field.map(|field| &field.shape) {
            Some(Shape::Table(_)) => format!("missing table [{path}]"),
            _ => format!("missing key `{}` {}", key_text(key), in_table(&spot.path)),
        };
        let doc = field.map_or("", |field| field.doc.as_str());
        let help = if doc.is_empty() { must_be.to_owned() } else { format!("{must_be}: {doc}") };
        self.push(&spot.place, path, message, Some(help));
    }

    fn push(&mut self, place: &Place, path: String, message: String, help: Option<String>) {
        self.sink.push(Raw { place: place.clone(), path, message, help });
    }
}

/// The table for which a bare name stands.
pub(crate) fn bare_name(switch: &Switch, node: &Node) -> Table {
    Table(vec![Entry { key: switch.tag.clone(), key_place: node.place.clone(), node: node.clone() }])
}
