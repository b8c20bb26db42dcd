//! The JSON Schema by which editors complete and check recipes.

use serde_json::{Map, Value as Json, json};

use crate::shape::{Field, Range, Shape, Switch, TableShape};

/// The schema of a shape, closed and without references, in which a tagged table may be its bare name.
pub(crate) fn publish(shape: &Shape, title: &str, doc: &str) -> Json {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(title));
    if !doc.is_empty() {
        schema.insert("description".to_owned(), json!(doc));
    }
    schema.extend(match shape {
        // The file itself is always a table.
        Shape::Table(table) => tables(table),
        _ => emit(shape),
    });
    Json::Object(schema)
}

fn emit(shape: &Shape) -> Map<String, Json> {
    match shape {
        Shape::Any => Map::new(),
        Shape::Bool => object(json!({ "type": "boolean" })),
        Shape::Integer(range) => {
            let mut schema = object(json!({ "type": "integer" }));
            schema.extend(bounds(range, |bound| {
                i64::try_from(bound).map(Json::from).or_else(|_| u64::try_from(bound).map(Json::from)).ok()
            }));
            schema
        }
        Shape::Number { range, .. } => {
            let mut schema = object(json!({ "type": "number" }));
            schema.extend(bounds(range, |bound| Some(json!(bound))));
            schema
        }
        Shape::Text { least, most } => lengths("string", "Length", *least, *most),
        Shape::Choice(choices) if choices.iter().all(|choice| choice.doc.is_empty()) => {
            let values: Vec<_> = choices.iter().map(|choice| &choice.value).collect();
            object(json!({ "type": "string", "enum": values }))
        }
        Shape::Choice(choices) => {
            let branch = choices.iter().map(|choice| constant(&choice.value, &choice.doc));
            object(json!({ "oneOf": branch.collect::<Vec<_>>() }))
        }
        Shape::Array(array) => {
            let mut schema = lengths("array", "Items", array.least, array.most);
            if !array.first.is_empty() {
                schema.insert("prefixItems".to_owned(), array.first.iter().map(emit).collect());
            }
            schema.insert("items".to_owned(), Json::Object(emit(&array.rest)));
            schema
        }
        Shape::Table(table) => match table.shorthand() {
            Some(switch) => {
                let names = object(json!({ "type": "string", "enum": switch.names() }));
                object(json!({ "anyOf": [names, tables(table)] }))
            }
            None => tables(table),
        },
        Shape::Union(shapes) => object(json!({ "anyOf": shapes.iter().map(emit).collect::<Vec<_>>() })),
    }
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

fn constant(value: &str, doc: &str) -> Json {
    if doc.is_empty() { json!({ "const": value }) } else { json!({ "const": value, "description": doc }) }
}

fn bounds<N: Copy>(range: &Range<N>, json: impl Fn(N) -> Option<Json>) -> Map<String, Json> {
    let low = range.low.map(|bound| (bound.at, if bound.open { "exclusiveMinimum" } else { "minimum" }));
    let high = range.high.map(|bound| (bound.at, if bound.open { "exclusiveMaximum" } else { "maximum" }));
    let both = low.into_iter().chain(high);
    both.filter_map(|(at, keyword)| Some((keyword.to_owned(), json(at)?))).collect()
}

fn lengths(kind: &str, what: &str, least: u64, most: Option<u64>) -> Map<String, Json> {
    let mut schema = object(json!({ "type": kind }));
    if least > 0 {
        schema.insert(format!("min{what}"), json!(least));
    }
    if let Some(most) = most {
        schema.insert(format!("max{what}"), json!(most));
    }
    schema
}

/// A table: one closed schema for each combination of its tags.
fn tables(table: &TableShape) -> Map<String, Json> {
    let mut forms = combinations(table);
    match forms.len() {
        1 => forms.remove(0).emit(),
        _ => object(json!({ "oneOf": forms.iter().map(Form::emit).collect::<Vec<_>>() })),
    }
}

/// A table with every tag settled.
#[derive(Clone, Default)]
struct Form<'s> {
    tags: Vec<(&'s str, &'s str)>,
    doc: &'s str,
    fields: Vec<&'s Field>,
    extra: Option<&'s Shape>,
}

fn combinations(table: &TableShape) -> Vec<Form<'_>> {
    let own =
        Form { fields: table.fields.iter().collect(), extra: table.extra.as_deref(), ..Form::default() };
    table.switches.iter().fold(vec![own], |forms, switch| {
        let variants = variants(switch);
        forms.iter().flat_map(|form| variants.iter().map(|variant| form.with(variant))).collect()
    })
}

fn variants(switch: &Switch) -> Vec<Form<'_>> {
    let forms = switch.variants.iter().flat_map(|variant| {
        combinations(&variant.table).into_iter().map(|mut form| {
            form.tags.insert(0, (&switch.tag, &variant.name));
            form.doc = &variant.doc;
            form
        })
    });
    forms.collect()
}

impl<'s> Form<'s> {
    fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.tags.extend(&other.tags);
        both.fields.extend(&other.fields);
        both.doc = if both.doc.is_empty() { other.doc } else { both.doc };
        both.extra = both.extra.or(other.extra);
        both
    }

    fn emit(&self) -> Map<String, Json> {
        let mut schema = object(json!({ "type": "object" }));
        if !self.doc.is_empty() {
            schema.insert("description".to_owned(), json!(self.doc));
        }
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (tag, name) in &self.tags {
            properties.insert((*tag).to_owned(), constant(name, self.doc));
            required.push(*tag);
        }
        for field in &self.fields {
            properties.insert(field.name.clone(), Json::Object(emit_field(field)));
            required.extend(field.required.then_some(field.name.as_str()));
        }
        schema.insert("properties".to_owned(), Json::Object(properties));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        let extra = self.extra.map_or(Json::Bool(false), |extra| Json::Object(emit(extra)));
        schema.insert("additionalProperties".to_owned(), extra);
        schema
    }
}

fn emit_field(field: &Field) -> Map<String, Json> {
    let mut schema = Map::new();
    if !field.doc.is_empty() {
        schema.insert("description".to_owned(), json!(field.doc));
    }
    schema.extend(emit(&field.shape));
    if !field.doc.is_empty() {
        schema.insert("description".to_owned(), json!(field.doc));
    }
    if let Some(default) = &field.default {
        schema.insert("default".to_owned(), crate::describe::tidy(default, &field.shape));
    }
    schema
}
