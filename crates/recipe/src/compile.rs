//! From the JSON Schema that schemars derives to the shape of a recipe.

use serde_json::{Map, Value as Json};

use crate::flatten::{Flat, Flattener};
use crate::shape::{ArrayShape, Choice, Field, Shape, Switch, TableShape, Variant};
use crate::{bounds, flatten};

/// The shape that a whole schema describes.
pub(crate) fn compile(schema: &Json) -> Shape {
    let mut compiler = Compiler { flattener: Flattener::new(schema) };
    compiler.shape(schema)
}

struct Compiler<'s> {
    flattener: Flattener<'s>,
}

impl Compiler<'_> {
    fn shape(&mut self, schema: &Json) -> Shape {
        let Some(mut flat) = self.flattener.flatten(schema) else { return Shape::Any };
        let depth = self.flattener.enter(&flat);
        let shape = self.flat(&mut flat);
        self.flattener.leave(depth);
        shape
    }

    fn flat(&mut self, flat: &mut Flat) -> Shape {
        flat.drop_null();
        if let Some(choices) = choices(flat) {
            return Shape::Choice(choices);
        }
        let types = flat.types();
        if types.len() > 1 {
            let alone = |name: &String| {
                let mut flat = flat.clone();
                flat.map.insert("type".to_owned(), Json::String(name.clone()));
                flat
            };
            return Shape::Union(types.iter().map(alone).map(|mut flat| self.flat(&mut flat)).collect());
        }
        match types.first().map(String::as_str) {
            Some("boolean") => Shape::Bool,
            Some("integer") => bounds::integer(&flat.map),
            Some("number") => bounds::number(&flat.map),
            Some("string") => Shape::Text {
                least: flat.map.get("minLength").and_then(Json::as_u64).unwrap_or(0),
                most: flat.map.get("maxLength").and_then(Json::as_u64),
            },
            Some("array") => self.array(&flat.map),
            Some("object") => self.object(flat),
            _ if flat.map.contains_key("properties") => self.object(flat),
            _ => self.alternatives(flat),
        }
    }

    /// A schema without a type: an enum, with or without a tag.
    fn alternatives(&mut self, flat: &Flat) -> Shape {
        match flat.groups.as_slice() {
            [] => Shape::Any,
            [group] if self.tag(group).is_none() => {
                let mut shapes: Vec<_> = group.iter().map(|branch| self.shape(branch)).collect();
                if shapes.len() == 1 { shapes.remove(0) } else { Shape::Union(shapes) }
            }
            _ => self.object(flat),
        }
    }

    fn array(&mut self, map: &Map<String, Json>) -> Shape {
        let first = map.get("prefixItems").and_then(Json::as_array);
        let first = first.map(|items| items.iter().map(|item| self.shape(item)).collect());
        Shape::Array(Box::new(ArrayShape {
            first: first.unwrap_or_default(),
            rest: map.get("items").map_or(Shape::Any, |items| self.shape(items)),
            least: map.get("minItems").and_then(Json::as_u64).unwrap_or(0),
            most: map.get("maxItems").and_then(Json::as_u64),
        }))
    }

    fn object(&mut self, flat: &Flat) -> Shape {
        let mut table = TableShape::default();
        let none = Map::new();
        let properties = flat.map.get("properties").and_then(Json::as_object).unwrap_or(&none);
        for (name, schema) in properties {
            table.fields.push(self.field(name, schema, &flat.required));
        }
        for group in &flat.groups {
            match self.tag(group) {
                Some(tag) => table.switches.push(self.switch(tag, group)),
                None if properties.is_empty() && flat.groups.len() == 1 => {
                    return Shape::Union(group.iter().map(|branch| self.shape(branch)).collect());
                }
                None => self.lenient(group, &mut table),
            }
        }
        table.extra = match flat.map.get("additionalProperties") {
            Some(Json::Bool(true)) => Some(Box::new(Shape::Any)),
            Some(schema @ Json::Object(_)) => Some(Box::new(self.shape(schema))),
            // A struct is closed even where its type lets serde ignore what it does not know; a
            // bare `"type": "object"` is a map of anything.
            None if table.fields.is_empty() && table.switches.is_empty() && flat.bare() => {
                Some(Box::new(Shape::Any))
            }
            _ => None,
        };
        Shape::Table(table)
    }

    /// A flattened enum without a tag: all keys of all its variants, and serde decides.
    fn lenient(&mut self, group: &[Json], table: &mut TableShape) {
        for branch in group {
            if let Shape::Table(other) = self.shape(branch) {
                let fields = other.fields.into_iter().map(|field| Field { required: false, ..field });
                table.fields.extend(fields);
                table.switches.extend(other.switches);
            }
        }
    }

    fn field(&mut self, name: &str, schema: &Json, required: &[String]) -> Field {
        let flat = self.flattener.flatten(schema);
        let get = |key: &str| flat.as_ref().and_then(|flat| flat.map.get(key)).cloned();
        Field {
            name: name.to_owned(),
            shape: self.shape(schema),
            required: required.iter().any(|key| key == name),
            default: get("default").filter(|default| !default.is_null()),
            doc: flatten::doc(get("description").as_ref()),
        }
    }

    /// The key that tells these branches apart: a required constant in each of them.
    fn tag(&mut self, group: &[Json]) -> Option<String> {
        let flats: Option<Vec<_>> = group.iter().map(|branch| self.flattener.flatten(branch)).collect();
        let flats = flats?;
        let constants = |flat: &Flat| -> Vec<String> { flat.constants().map(|(key, _)| key).collect() };
        let candidates = constants(flats.first()?);
        candidates.into_iter().find(|tag| flats.iter().all(|flat| constants(flat).contains(tag)))
    }

    fn switch(&mut self, tag: String, group: &[Json]) -> Switch {
        let mut variants = Vec::new();
        for branch in group {
            let Some(flat) = self.flattener.flatten(branch) else { continue };
            let Some((_, name)) = flat.constants().find(|(key, _)| *key == tag) else { continue };
            let Shape::Table(mut table) = self.shape(branch) else { continue };
            table.fields.retain(|field| field.name != tag);
            let doc = flatten::doc(flat.map.get("description"));
            variants.push(Variant { name, doc, table });
        }
        Switch { tag, variants }
    }
}

/// The texts of a string enum, which schemars writes in three ways.
fn choices(flat: &Flat) -> Option<Vec<Choice>> {
    let doc = flatten::doc(flat.map.get("description"));
    let plain =
        |value: &Json| value.as_str().map(|text| Choice { value: text.to_owned(), doc: String::new() });
    if let Some(constant) = flat.map.get("const") {
        return Some(vec![Choice { value: constant.as_str()?.to_owned(), doc }]);
    }
    if let Some(values) = flat.map.get("enum").and_then(Json::as_array) {
        return values.iter().filter(|value| !value.is_null()).map(plain).collect();
    }
    let [group] = flat.groups.as_slice() else { return None };
    let mut all = Vec::new();
    for branch in group {
        let Json::Object(map) = branch else { return None };
        if map.contains_key("properties") || map.contains_key("$ref") {
            return None;
        }
        all.extend(choices(&Flat { map: map.clone(), ..Flat::default() })?);
    }
    (!all.is_empty()).then_some(all)
}
