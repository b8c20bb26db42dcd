//! A recipe as a small tree in which every key and value knows where it came from.

use std::ops::Range;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use crate::problem::{Raw, Sink};

/// Said of what is nested beyond the parser's limit, which is 80.
const TOO_DEEP: &str = "nested too deeply";

/// Where a key or a value came from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    /// These bytes of the file.
    File(Range<usize>),
    /// The override with this number.
    Override(usize),
    /// Nobody wrote it.
    Nowhere,
}

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// A value of the kinds that TOML has.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Bool(bool),
    /// Between `i64::MIN` and `u64::MAX`.
    Integer(i128),
    /// An integer beyond that, which has been reported.
    Huge,
    Float(f64),
    Text(String),
    Date(String),
    Array(Vec<Node>),
    Table(Table),
}

/// Keys and values, in the order in which they were written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table(pub(crate) Vec<Entry>);

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) node: Node,
}

impl Node {
    /// The empty table that nobody wrote.
    pub(crate) fn empty() -> Self {
        Self { value: Value::Table(Table::default()), place: Place::Nowhere }
    }

    /// A value that nobody wrote, such as a default; `None` for null.
    pub(crate) fn from_json(json: &Json) -> Option<Self> {
        let value = match json {
            Json::Null => return None,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match number.as_i128() {
                Some(integer) => Value::Integer(integer),
                None => Value::Float(number.as_f64()?),
            },
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::Array(items.iter().filter_map(Self::from_json).collect()),
            Json::Object(map) => Value::Table(Table(
                map.iter()
                    .filter_map(|(key, value)| {
                        let node = Self::from_json(value)?;
                        Some(Entry { key: key.clone(), key_place: Place::Nowhere, node })
                    })
                    .collect(),
            )),
        };
        Some(Self { value, place: Place::Nowhere })
    }

    /// Gives every key and value in here the same origin.
    pub(crate) fn claim(&mut self, place: &Place) {
        self.place = place.clone();
        match &mut self.value {
            Value::Array(items) => items.iter_mut().for_each(|item| item.claim(place)),
            Value::Table(table) => {
                for entry in &mut table.0 {
                    entry.key_place = place.clone();
                    entry.node.claim(place);
                }
            }
            _ => {}
        }
    }
}

impl Table {
    /// The entry with this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    /// The position of the entry with this key.
    pub(crate) fn position(&self, key: &str) -> Option<usize> {
        self.0.iter().position(|entry| entry.key == key)
    }

    /// The text under this key, if it is one.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What a TOML document holds, and whether all of it can be relied upon.
pub(crate) struct Parsed {
    pub(crate) root: Node,
    /// False where a syntax error may have misplaced or swallowed what follows it.
    pub(crate) sound: bool,
    /// False where any mistake of syntax may have cost a key.
    pub(crate) complete: bool,
}

/// Parses a TOML document; syntax errors go to the sink.
pub(crate) fn parse(text: &str, sink: &mut Sink) -> Parsed {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut sound = true;
    let mut told = Vec::new();
    // Past the limit on depth the parser reports each bracket again.
    let deep = errors.iter().find(|error| plain_message(error) == TOO_DEEP);
    for error in deep.map_or(errors.as_slice(), std::slice::from_ref) {
        let place = Place::File(error.span().unwrap_or(0..0));
        let duplicate = error.message() == "duplicate key";
        sound &= duplicate;
        let (message, help) = if duplicate {
            (format!("{} is given twice", duplicated(text, &place)), Some("keep one of them".to_owned()))
        } else {
            (format!("not valid TOML: {}", plain_message(error)), None)
        };
        if told.last() != Some(&(place.clone(), message.clone())) {
            told.push((place.clone(), message.clone()));
            sink.push(Raw { place, path: String::new(), message, help });
        }
    }
    let table = convert_table(document.get_ref(), sink);
    Parsed {
        root: Node { value: Value::Table(table), place: Place::Nowhere },
        sound,
        complete: errors.is_empty(),
    }
}

/// The parser's message without what it says of its own workings.
fn plain_message(error: &toml::de::Error) -> &str {
    match error.message() {
        "recursion limit" | "cannot recurse further; max recursion depth met" => TOO_DEEP,
        message => message.trim_end_matches(", expected nothing"),
    }
}

fn duplicated(text: &str, place: &Place) -> String {
    match place {
        Place::File(span) => text.get(span.clone()).map_or("a key".to_owned(), |key| format!("key `{key}`")),
        _ => "a key".to_owned(),
    }
}

/// Parses one TOML value, all of which comes from `place`.
///
/// # Errors
///
/// The parser's message if this is no TOML value.
pub(crate) fn parse_value(text: &str, place: &Place, sink: &mut Sink) -> Result<Node, String> {
    let value = DeValue::parse(text).map_err(|error| plain_message(&error).to_owned())?;
    let mut own = Sink::default();
    let mut node = convert(&value, &mut own);
    node.claim(place);
    own.claim(place);
    sink.append(own);
    Ok(node)
}

/// The keys of a dotted key such as `train."learning rate"`; `None` if this is none.
pub(crate) fn parse_key(text: &str) -> Option<Vec<String>> {
    if text.contains(['\n', '\r', '=', '#']) {
        return None;
    }
    let line = format!("{text} = 0");
    let document = DeTable::parse(&line).ok()?.into_inner();
    let mut keys = Vec::new();
    let mut table = &document;
    loop {
        let (key, value) = table.iter().next()?;
        keys.push(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            DeValue::Integer(_) => return Some(keys),
            _ => return None,
        }
    }
}

fn convert_table(table: &DeTable<'_>, sink: &mut Sink) -> Table {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (&Spanned<_>, &Spanned<_>), sink: &mut Sink| Entry {
        key: std::borrow::Cow::<str>::to_string(key.get_ref()),
        key_place: Place::File(key.span()),
        node: convert(value, sink),
    };
    Table(entries.into_iter().map(|pair| entry(pair, sink)).collect())
}

fn convert(value: &Spanned<DeValue<'_>>, sink: &mut Sink) -> Node {
    let place = Place::File(value.span());
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => convert_integer(integer, &place, sink),
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| convert(item, sink)).collect()),
        DeValue::Table(table) => Value::Table(convert_table(table, sink)),
    };
    Node { value, place }
}

fn convert_integer(integer: &DeInteger<'_>, place: &Place, sink: &mut Sink) -> Value {
    let allowed = i128::from(i64::MIN)..=i128::from(u64::MAX);
    match i128::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(value) if allowed.contains(&value) => Value::Integer(value),
        _ => {
            let message = "this integer does not fit into 64 bits".to_owned();
            sink.push(Raw { place: place.clone(), path: String::new(), message, help: None });
            Value::Huge
        }
    }
}
