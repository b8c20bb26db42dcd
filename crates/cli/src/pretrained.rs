//! Encoders of Hugging Face's as `[transfer]` starts from them, and what a recipe need not say because `from` does.

use std::path::Path;

use burn::module::Module;
use crucible_data::Tokenizer;
use crucible_models::{
    Architecture,
    architectures::{
        BertConfig, TokenPooling,
        hugging_face::{Pretrained, PretrainedError},
    },
    weights::{self, State},
};
use crucible_train::{RunFolder, run_folder::name};
use serde_json::{Map, Value};

use crate::{error::CliError, run::RunConfig};

pub(crate) const CONFIG: &str = "config.json";

/// Whether a folder is one of Hugging Face's.
pub(crate) fn is_folder(folder: &Path) -> bool {
    folder.join(CONFIG).is_file() && !folder.join(name::RECIPE).exists()
}

/// The text of a folder's config.json.
pub(crate) fn config(folder: &Path) -> Result<String, CliError> {
    let path = folder.join(CONFIG);
    let bytes = std::fs::read(&path).map_err(|source| CliError::File {
        action: "read",
        path: path.clone(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let source = PretrainedError::Config(error.to_string());
        CliError::Pretrained { path, source }
    })
}

/// Reads a folder of Hugging Face's.
pub(crate) fn read(folder: &Path) -> Result<Pretrained, CliError> {
    Pretrained::read(&config(folder)?, weights::open(folder)?.state)
        .map_err(|source| CliError::Pretrained { path: folder.join(CONFIG), source })
}

/// The weights in a folder of Hugging Face's for a network to start from, under our names; `None` for a network of another
/// kind.
pub(crate) fn weights(
    folder: &Path,
    architecture: &Architecture,
    network: &impl Module,
    with_head: bool,
) -> Result<Option<State>, CliError> {
    let Architecture::Bert(_) = architecture else { return Ok(None) };
    let fail = |source| CliError::Pretrained { path: folder.to_owned(), source };
    let state = read(folder)?.weights(network, with_head).map_err(PretrainedError::from).map_err(fail)?;
    Ok(Some(state))
}

/// Overrides that give a recipe, of which `seen` is as it stands, what the network says that it starts from: all of `[model]`
/// that is not there, where it names no architecture, and the tokenizer of texts.
pub(crate) fn overrides(seen: &Value, base: &Path) -> Result<Vec<String>, CliError> {
    let mut overrides = Vec::new();
    let Some(from) = seen["transfer"]["from"].as_str().map(|from| base.join(from)) else {
        return Ok(overrides);
    };
    let (model, tokenizer) = (&seen["model"], from.join(Tokenizer::FILE));
    let has_texts = seen["data"]["source"] == "texts" || seen["data"]["source"]["source"] == "texts";
    if has_texts && seen["data"]["tokenizer"].is_null() && tokenizer.is_file() {
        let tokenizer = std::path::absolute(&tokenizer).unwrap_or(tokenizer);
        overrides.push(format!("data.tokenizer={}", Value::from(tokenizer.to_string_lossy())));
    }
    // A bare name may stand for the table.
    if model["name"].is_string() || model.is_string() {
        return Ok(overrides);
    }
    if !from.exists() {
        let problem = "there is no such folder; `transfer.from` names it, and without it the recipe needs a table `[model]`";
        return Err(CliError::NoModel { path: from, problem: problem.to_owned() });
    }
    let Some(network) = network(&from, model)? else { return Ok(overrides) };
    // The name first: it says which keys there are.
    let (named, rest): (Vec<_>, Vec<_>) = network.iter().partition(|(key, _)| *key == "name");
    let missing = named.into_iter().chain(rest).filter(|(key, _)| model[key.as_str()].is_null());
    overrides.extend(missing.map(|(key, value)| format!("model.{key}={}", inline(value))));
    Ok(overrides)
}

/// The `[model]` of what training starts from; none where that does not tell.
fn network(from: &Path, model: &Value) -> Result<Option<Map<String, Value>>, CliError> {
    let architecture = if from.join(name::RECIPE).exists() {
        RunConfig::read(&RunFolder::open(from)?)?.architecture
    } else if is_folder(from) {
        let pretrained = read(from)?;
        Architecture::Bert(classifier(pretrained.config, pretrained.outputs > 0, model))
    } else {
        return Ok(None);
    };
    let value = serde_json::to_value(architecture).expect("plain data");
    Ok(value.as_object().cloned())
}

/// A classifier of an encoder, as `transformers` makes one: the first token's vector, through the pooler where there is one.
/// The mean over tokens, where `model` asks for it, was not what a pooler without a head learned from.
fn classifier(mut config: BertConfig, has_head: bool, model: &Value) -> BertConfig {
    config.pooling = TokenPooling::Cls;
    if model["pooling"] == "mean" && !has_head {
        config.pooler = None;
    }
    config
}

/// A value as TOML on one line.
pub(crate) fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}
