//! The whole check, from text to value.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use crate::compile::compile;
use crate::describe::Key;
use crate::document::{Place, parse};
use crate::path::key_text;
use crate::places::{Origin, Places};
use crate::problem::{Problems, Raw, Sink};
use crate::text::Text;
use crate::walk::{Spot, Walker};
use crate::{fill, flatten, overrides};

/// A recipe file, or an override, may have this many bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// A recipe with nothing wrong.
#[derive(Debug, Clone)]
pub struct Checked<T> {
    /// What the recipe says.
    pub value: T,
    /// The recipe as TOML with every default filled in; checked again it gives the same value and the same text.
    pub filled: String,
    /// Where each key was written, for the caller's own checks.
    pub places: Places,
}

impl<T> Checked<T> {
    /// Where the value at `path`, such as `train.optimizer.lr` or `audit.checks[0]`, came from.
    pub fn locate(&self, path: &str) -> Origin {
        self.places.locate(path)
    }
}

/// Checks a recipe and the overrides on top of it, such as `train.epochs=3`, against the schema of `T`.
///
/// An override's value is TOML; a word that is none is taken as text. One that changes the tag of a tagged table,
/// as `train.optimizer.name=adam` does, drops the keys in the file that only the old variant has.
///
/// # Errors
///
/// Everything that is wrong with the recipe.
pub fn check<T: DeserializeOwned + Serialize + JsonSchema>(
    text: &str,
    file_name: &str,
    overrides: &[String],
) -> Result<Checked<T>, Problems> {
    let file = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut sink = Sink::default();
    too_long(file, overrides, &mut sink);
    if !sink.is_empty() {
        return Err(sink.resolve(&Text::new(file_name, "", overrides)));
    }
    let text = Text::new(file_name, file, overrides);
    let shape = compile(&raw_schema::<T>());
    let mut parsed = parse(file, &mut sink);
    overrides::apply(&mut parsed.root, &shape, overrides, &mut sink);
    let mut json = Json::Null;
    if parsed.sound {
        let spot = Spot { path: String::new(), place: Place::Nowhere };
        let mut walker = Walker { sink: &mut sink, want_all: parsed.complete };
        json = walker.value(&parsed.root, &shape, &spot);
    }
    if !sink.is_empty() {
        return Err(sink.resolve(&text));
    }
    let places = Places { root: parsed.root, text };
    build(json, places)
}

fn too_long(file: &str, overrides: &[String], sink: &mut Sink) {
    let mut refuse = |place: Place, what: &str, bytes: usize| {
        let message = format!("{what} has {bytes} bytes; at most {MAX_BYTES} (1 MiB) are read");
        sink.push(Raw { place, path: String::new(), message, help: None });
    };
    if file.len() > MAX_BYTES {
        refuse(Place::Nowhere, "the recipe", file.len());
    }
    for (index, text) in overrides.iter().enumerate().filter(|(_, text)| text.len() > MAX_BYTES) {
        refuse(Place::Override(index), "the override", text.len());
    }
}

/// From the JSON that fits the schema to the value, by serde, which has the last word.
fn build<T: DeserializeOwned + Serialize>(json: Json, places: Places) -> Result<Checked<T>, Problems> {
    let value: T = serde_path_to_error::deserialize(json).map_err(|error| {
        let path = dotted(error.path());
        let reason = error.into_inner();
        let message = if path.is_empty() { format!("{reason}") } else { format!("`{path}`: {reason}") };
        Problems::at(&places, &path, message, None)
    })?;
    let json = fill::to_json(&value).map_err(|error| {
        Problems::at(&places, "", format!("the recipe cannot be written out again: {error}"), None)
    })?;
    Ok(Checked { value, filled: fill::to_toml(&json), places })
}

fn dotted(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&key_text(key));
            }
            Segment::Unknown => break,
        }
    }
    out
}

pub(crate) fn raw_schema<T: JsonSchema>() -> Json {
    schemars::schema_for!(T).to_value()
}

/// The JSON Schema (2020-12) of recipes for editors: closed, without references, and with the bare name of a
/// variant allowed in place of its table.
pub fn schema<T: JsonSchema>() -> Json {
    let raw = raw_schema::<T>();
    let title = raw.get("title").and_then(Json::as_str).unwrap_or("Recipe");
    crate::schema::publish(&compile(&raw), title, &flatten::doc(raw.get("description")))
}

/// Every key that a recipe may have: type, range, default and documentation.
pub fn describe<T: JsonSchema>() -> Vec<Key> {
    crate::describe::describe(&compile(&raw_schema::<T>()))
}
