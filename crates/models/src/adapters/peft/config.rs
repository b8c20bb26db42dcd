//! `adapter_config.json`.

use serde_json::{Map, Value, json};

use crate::layers::AdapterConfig;

/// What an `adapter_config.json` says, as far as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct PeftConfig {
    /// How a layer is changed.
    pub adapter: AdapterConfig,
    /// Where the network without adapters is.
    pub base: String,
    /// Whether it is for the classification of sequences (`SEQ_CLS`).
    pub classifies: bool,
    /// The layers that are changed, by the ends of their names.
    pub targets: Vec<String>,
    /// The layers that were trained as a whole.
    pub whole: Vec<String>,
}

/// Settings that are not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeftProblem {
    /// The text is not what it should be.
    #[error("{0}")]
    Config(String),
    /// A setting that changes what the network computes in a way that is not supported.
    #[error("`{key}` is {value}; only {allowed} is supported")]
    Setting {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is supported.
        allowed: &'static str,
    },
}

/// A setting, whether a value is read, and which are.
type Fixed = (&'static str, fn(&Value) -> bool, &'static str);

/// Settings that change what a network computes, and the one value that is read, which is also their default.
const FIXED: [Fixed; 15] = [
    ("fan_in_fan_out", is_off, "false"),
    ("bias", |value| value == "none", "\"none\""),
    ("lora_bias", is_off, "false"),
    ("rank_pattern", is_empty, "{}"),
    ("alpha_pattern", is_empty, "{}"),
    ("layer_replication", is_empty, "null"),
    ("target_parameters", is_empty, "null"),
    ("trainable_token_indices", is_empty, "null"),
    ("alora_invocation_tokens", is_empty, "null"),
    ("use_qalora", is_off, "false"),
    ("use_bdlora", is_off, "null"),
    ("kasa_config", is_empty, "null"),
    ("monteclora_config", is_empty, "null"),
    ("arrow_config", is_empty, "null"),
    // Others change the weights of the network itself.
    ("init_lora_weights", |value| value.is_boolean() || value == "gaussian", "true, false and \"gaussian\""),
];

fn is_off(value: &Value) -> bool {
    matches!(value, Value::Bool(false) | Value::Null)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

impl PeftConfig {
    pub(super) fn read(text: &str) -> Result<Self, PeftProblem> {
        let map: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| PeftProblem::Config(error.to_string()))?;
        let kind = map.get("peft_type").unwrap_or(&Value::Null);
        if kind != "LORA" {
            let value = kind.to_string();
            return Err(PeftProblem::Setting { key: "peft_type", value, allowed: "\"LORA\"" });
        }
        for (key, holds, allowed) in FIXED {
            if let Some(value) = map.get(key).filter(|value| !holds(value)) {
                return Err(PeftProblem::Setting { key, value: value.to_string(), allowed });
            }
        }
        let number = |key: &'static str, default: f64| match map.get(key) {
            None => Ok(default),
            Some(value) => value.as_f64().filter(|value| *value >= 0.0).ok_or_else(|| {
                let value = value.to_string();
                PeftProblem::Setting { key, value, allowed: "a number that is not negative" }
            }),
        };
        let rank = map.get("r").and_then(Value::as_u64).filter(|rank| (1..=1 << 16).contains(rank));
        let rank = rank.ok_or_else(|| {
            let value = map.get("r").unwrap_or(&Value::Null).to_string();
            PeftProblem::Setting { key: "r", value, allowed: "a whole number from 1 to 65536" }
        })?;
        let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
        let list = |key: &str| match map.get(key) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        Ok(Self {
            adapter: AdapterConfig {
                rank: rank as usize,
                alpha: number("lora_alpha", 8.0)?,
                dropout: number("lora_dropout", 0.0)?.min(0.999),
                rank_stabilized: flag("use_rslora"),
                decomposed: flag("use_dora"),
            },
            base: map.get("base_model_name_or_path").and_then(Value::as_str).unwrap_or_default().to_owned(),
            classifies: map.get("task_type").is_some_and(|task| task == "SEQ_CLS"),
            targets: list("target_modules"),
            whole: list("modules_to_save"),
        })
    }

    /// The text of an `adapter_config.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let AdapterConfig { rank, alpha, dropout, rank_stabilized, decomposed } = self.adapter;
        let whole = |alpha: f64| if alpha.fract() == 0.0 { json!(alpha as i64) } else { json!(alpha) };
        let value = json!({
            "peft_type": "LORA",
            "task_type": self.classifies.then_some("SEQ_CLS"),
            "base_model_name_or_path": self.base,
            "r": rank,
            "lora_alpha": whole(alpha),
            "lora_dropout": dropout,
            "use_rslora": rank_stabilized,
            "use_dora": decomposed,
            "target_modules": self.targets,
            "modules_to_save": self.whole,
            "bias": "none",
            "fan_in_fan_out": false,
            "init_lora_weights": true,
            "inference_mode": true,
        });
        serde_json::to_string_pretty(&value).expect("plain data")
    }
}
