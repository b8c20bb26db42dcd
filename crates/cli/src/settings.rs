//! The settings of a method, which are told apart by a tag `name`.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{error::CliError, findings};

/// The method of that name, among `all` with their names and what they are, with some of its settings replaced.
pub(crate) fn choose<T: Serialize + DeserializeOwned>(
    kind: &str,
    all: &[(&'static str, &'static str, T)],
    method: &str,
    overrides: &[String],
) -> Result<T, CliError> {
    let Some((_, _, config)) = all.iter().find(|(name, _, _)| *name == method) else {
        let names: Vec<&str> = all.iter().map(|(name, _, _)| *name).collect();
        return Err(CliError::Usage(format!(
            "there is no {kind} `{method}`; there are: {}",
            names.join(", ")
        )));
    };
    override_settings(config, overrides)
}

/// A tagged configuration with some of its settings replaced, each given as `key=value`.
pub(crate) fn override_settings<T: Serialize + DeserializeOwned>(
    config: &T,
    overrides: &[String],
) -> Result<T, CliError> {
    let mut value = serde_json::to_value(config).expect("plain data");
    for text in overrides {
        let Some((key, given)) = text.split_once('=') else {
            return Err(CliError::Usage(format!("--set {text}: a setting is given as KEY=VALUE")));
        };
        if key == "name" {
            return Err(CliError::Usage("--set name: give the method instead".to_owned()));
        }
        value[key] = serde_json::from_str(given).unwrap_or_else(|_| Value::from(given));
    }
    serde_json::from_value(value).map_err(|error| CliError::Usage(format!("--set: {error}")))
}

/// The settings of a tagged configuration, without its name.
pub(crate) fn settings(config: &impl Serialize) -> Vec<(String, String)> {
    let value = serde_json::to_value(config).expect("plain data");
    let all = value.as_object().into_iter().flatten().filter(|(key, _)| *key != "name");
    all.map(|(key, value)| (key.clone(), short(value))).collect()
}

/// A number that is one of single precision with no more digits than that has.
fn short(value: &Value) -> String {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) if f64::from(number as f32) == number => findings::short(number as f32).to_string(),
        _ => value.to_string(),
    }
}
