//! The JSON Schema and the listing of keys.

use crucible_recipe::{Key, describe, schema};
use serde_json::{Value, json};

use crate::sample::Recipe;

#[test]
fn the_schema_is_closed_and_allows_bare_names() {
    let schema = schema::<Recipe>();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!((&schema["title"], &schema["description"]), (&json!("Recipe"), &json!("A training job.")));
    assert_eq!(schema["required"], json!(["data", "train"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    assert!(!schema.to_string().contains("$ref"));
    let optimizer = &schema["properties"]["train"]["properties"]["optimizer"];
    assert_eq!(
        *optimizer,
        json!({
            "description": "The update rule.",
            "anyOf": [
                { "type": "string", "enum": ["sgd", "adam"] },
                { "oneOf": [
                    {
                        "type": "object",
                        "description": "Stochastic gradient descent.",
                        "properties": {
                            "name": { "const": "sgd", "description": "Stochastic gradient descent." },
                            "lr": { "description": "Learning rate.", "type": "number", "exclusiveMinimum": 0.0, "default": 0.1 },
                            "momentum": {
                                "description": "Share of the last step that is kept.",
                                "type": "number", "minimum": 0.0, "exclusiveMaximum": 1.0, "default": 0.0,
                            },
                            "nesterov": { "description": "Look ahead before each step.", "type": "boolean", "default": false },
                            "weight_decay": { "description": "Pull towards zero.", "type": "number", "minimum": 0.0, "default": 0.0001 },
                        },
                        "required": ["name"],
                        "additionalProperties": false,
                    },
                    {
                        "type": "object",
                        "description": "Adaptive moments.",
                        "properties": {
                            "name": { "const": "adam", "description": "Adaptive moments." },
                            "lr": { "description": "Learning rate.", "type": "number", "exclusiveMinimum": 0.0, "default": 0.001 },
                            "betas": {
                                "description": "Decay of the two moments.",
                                "type": "array", "minItems": 2, "maxItems": 2,
                                "items": { "type": "number" }, "default": [0.9, 0.999],
                            },
                            "epsilon": { "description": "Kept off zero by this much.", "type": "number", "default": 1e-8 },
                        },
                        "required": ["name"],
                        "additionalProperties": false,
                    },
                ] },
            ],
            "default": { "name": "sgd", "lr": 0.1, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0001 },
        })
    );
    let data = schema["properties"]["data"]["anyOf"][1]["oneOf"].as_array().unwrap().clone();
    let keys = |form: &Value| form["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&data[0]), ["source", "test_share"]);
    assert_eq!(keys(&data[1]), ["source", "test_share", "path", "label", "rename"]);
}

#[test]
fn every_key_is_listed() {
    let lines: Vec<String> = describe::<Recipe>().iter().map(line).collect();
    assert_eq!(
        lines.join("\n"),
        r#"data: table required
data.source: "digits" | "csv" | "two-moons" required
data.test_share: number (from 0 to 0.5) = 0.2
data.path: string (of at least 1 character) required when source = "csv"
data.label: integer | string required when source = "csv"
data.rename: table = {} when source = "csv"
data.rename.<key>: integer (from 0 to 255) when source = "csv"
data.points: integer (from 2 to 1000000) = 1000 when source = "two-moons"
data.noise: number = 0.0 when source = "two-moons"
model: table = { hidden = [64], activation = "relu", norm = false }
model.hidden: array of integer (of 1 to 8 elements) = [64]
model.activation: "relu" | "gelu" | "tanh" = "relu"
model.shape: array of integer (of 2 elements)
model.scale: number (greater than 0)
model.norm: boolean = false
train: table required
train.epochs: integer (from 1 to 10000) required
train.seed: integer (at least 0) = 0
train.batch: integer (at least 1)
train.precision: "single" | "half"
train.optimizer: table = { name = "sgd", lr = 0.1, momentum = 0.0, nesterov = false, weight_decay = 0.0001 }
train.optimizer.name: "sgd" | "adam" = "sgd" required
train.optimizer.lr: number (greater than 0) = 0.1 when name = "sgd"
train.optimizer.momentum: number (at least 0 and less than 1) = 0.0 when name = "sgd"
train.optimizer.nesterov: boolean = false when name = "sgd"
train.optimizer.weight_decay: number (at least 0) = 0.0001 when name = "sgd"
train.optimizer.lr: number (greater than 0) = 0.001 when name = "adam"
train.optimizer.betas: array of number (of 2 elements) = [0.9, 0.999] when name = "adam"
train.optimizer.epsilon: number = 1e-8 when name = "adam"
train.schedule: table
train.schedule.name: "constant" | "step" required
train.schedule.every: integer (at least 0) required when name = "step"
train.schedule.factor: number = 0.1 when name = "step"
audit: table
audit.checks: array of table = []
audit.checks[].metric: string required
audit.checks[].at_least: number required"#
    );
}

fn line(key: &Key) -> String {
    let mut line = format!("{}: {}", key.path, key.kind);
    line.extend(key.range.iter().map(|range| format!(" ({range})")));
    line.extend(key.default.iter().map(|default| format!(" = {default}")));
    line.extend(key.required.then_some(" required"));
    line.extend(key.only_with.iter().map(|condition| format!(" when {condition}")));
    line
}

#[test]
fn keys_and_choices_carry_their_documentation() {
    let keys = describe::<Recipe>();
    let key = |path: &str| keys.iter().find(|key| key.path == path).unwrap();
    assert_eq!(key("train.batch").doc, "Examples per step; all of them if unset.");
    let choice = |name: &str, doc: &str| (name.to_owned(), doc.to_owned());
    assert_eq!(
        key("train.optimizer.name").choices,
        [choice("sgd", "Stochastic gradient descent."), choice("adam", "Adaptive moments.")]
    );
    assert_eq!(key("model.activation").choices[1], choice("gelu", "Gaussian error linear unit."));
}
