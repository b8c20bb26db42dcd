//! One schema object without `$ref` and `allOf`.

use serde_json::{Map, Value as Json};

/// How many `$ref` and `allOf` may follow one another without a key between them.
const DEEPEST: usize = 32;

/// A schema with everything that it refers to merged into it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flat {
    /// Its keywords, but for those below.
    pub(crate) map: Map<String, Json>,
    /// Each `oneOf` or `anyOf`: all of these groups hold, each by one of its branches.
    pub(crate) groups: Vec<Vec<Json>>,
    pub(crate) required: Vec<String>,
    /// The references that were followed.
    pub(crate) refs: Vec<String>,
}

/// Resolves references, and notices those that go round in a circle.
pub(crate) struct Flattener<'s> {
    root: &'s Json,
    inside: Vec<String>,
}

impl<'s> Flattener<'s> {
    /// Resolves against this schema's definitions.
    pub(crate) fn new(root: &'s Json) -> Self {
        Self { root, inside: Vec::new() }
    }

    /// `None` for a schema that allows anything, and for one inside itself.
    pub(crate) fn flatten(&self, schema: &Json) -> Option<Flat> {
        let mut flat = Flat::default();
        self.merge(schema, &mut flat, 0)?;
        Some(flat)
    }

    /// Remembers the references that lead here, until [`Flattener::leave`].
    pub(crate) fn enter(&mut self, flat: &Flat) -> usize {
        let depth = self.inside.len();
        self.inside.extend(flat.refs.iter().cloned());
        depth
    }

    /// Forgets the references since `depth`.
    pub(crate) fn leave(&mut self, depth: usize) {
        self.inside.truncate(depth);
    }

    fn merge(&self, schema: &Json, flat: &mut Flat, depth: usize) -> Option<()> {
        let map = schema.as_object().filter(|_| depth < DEEPEST)?;
        if let Some(reference) = map.get("$ref").and_then(Json::as_str) {
            if self.inside.iter().any(|inside| inside == reference) {
                return None;
            }
            flat.refs.push(reference.to_owned());
            self.merge(self.root.pointer(reference.strip_prefix('#')?)?, flat, depth + 1)?;
        }
        for part in map.get("allOf").and_then(Json::as_array).into_iter().flatten() {
            self.merge(part, flat, depth + 1);
        }
        for (keyword, value) in map {
            flat.add(keyword, value);
        }
        Some(())
    }
}

impl Flat {
    fn add(&mut self, keyword: &str, value: &Json) {
        match (keyword, value) {
            ("$ref" | "allOf" | "$defs" | "$schema", _) => {}
            ("oneOf" | "anyOf", Json::Array(branches)) => self.groups.push(branches.clone()),
            ("required", Json::Array(keys)) => {
                self.required.extend(keys.iter().filter_map(Json::as_str).map(str::to_owned));
            }
            ("properties", Json::Object(new)) => {
                let old = self.map.entry("properties").or_insert_with(|| Json::Object(Map::new()));
                if let Json::Object(old) = old {
                    old.extend(new.clone());
                }
            }
            _ => {
                self.map.insert(keyword.to_owned(), value.clone());
            }
        }
    }

    /// The types, without null.
    pub(crate) fn types(&self) -> Vec<String> {
        let names = match self.map.get("type") {
            Some(Json::Array(names)) => names.as_slice(),
            Some(name) => std::slice::from_ref(name),
            None => &[],
        };
        let named = names.iter().filter_map(Json::as_str).filter(|name| *name != "null");
        named.map(str::to_owned).collect()
    }

    /// Leaves out the branches that are null: TOML has none, and a key left out stands for it.
    pub(crate) fn drop_null(&mut self) {
        let null = |branch: &Json| branch.get("type").and_then(Json::as_str) == Some("null");
        self.groups.iter_mut().for_each(|group| group.retain(|branch| !null(branch)));
    }

    /// Whether the schema names no key at all.
    pub(crate) fn bare(&self) -> bool {
        !self.map.contains_key("properties")
            && !self.map.contains_key("additionalProperties")
            && !self.map.contains_key("unevaluatedProperties")
    }

    /// The required keys whose value is a constant text, and that text.
    pub(crate) fn constants(&self) -> impl Iterator<Item = (String, String)> {
        let properties = self.map.get("properties").and_then(Json::as_object);
        properties.into_iter().flatten().filter_map(|(key, schema)| {
            let constant = schema.get("const").and_then(Json::as_str)?;
            self.required.contains(key).then(|| (key.clone(), constant.to_owned()))
        })
    }
}

/// A description as one paragraph.
pub(crate) fn doc(description: Option<&Json>) -> String {
    let text = description.and_then(Json::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
