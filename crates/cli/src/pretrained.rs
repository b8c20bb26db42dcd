//! Encoders of Hugging Face's as `[transfer]` starts from them, and what a recipe need not say because `from` does.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use burn::module::Module;
use crucible_data::Tokenizer;
use crucible_hub::{Hub, Progress, Repository, Wanted};
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

use crate::{error::CliError, progress::Download, run::RunConfig};

pub(crate) const CONFIG: &str = "config.json";

/// What training starts from in a repository of the hub. Not every network has the first two.
const START: [Wanted<'static>; 3] =
    [Wanted::Optional(CONFIG), Wanted::Optional(Tokenizer::FILE), Wanted::WEIGHTS];

/// A folder as it is given, or, for `hf:owner/name`, the one in the cache that the wanted files were fetched into. `note`
/// hears what a user should know of where they come from.
pub(crate) fn folder(
    given: &Path,
    wanted: &[Wanted<'_>],
    watched: bool,
    mut note: impl FnMut(String),
) -> Result<PathBuf, CliError> {
    let Some(text) = given.to_str().filter(|text| Repository::is_named_by(text)) else {
        return Ok(given.to_owned());
    };
    let repository = Repository::parse(text)?;
    let mut bar = Download::new(watched);
    let folder = Hub::from_env()?.fetch(&repository, wanted, &mut |progress| match progress {
        Progress::Bytes { file, done, total } => bar.show(file, done, total),
        Progress::Cached { reason, unknown } => note(cached(&repository, reason, unknown)),
        _ => {}
    });
    bar.finish();
    let folder = folder?;
    Ok(std::path::absolute(&folder).unwrap_or(folder))
}

/// Says that a repository is as it was when it was last fetched.
fn cached(repository: &Repository, reason: &str, unknown: &[String]) -> String {
    let lost = match unknown {
        [] => String::new(),
        names => format!(" Whether the repository has these is not known: {}.", names.join(", ")),
    };
    format!("{repository} is taken from the cache: {reason}.{lost}")
}

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
    let Some(given) = seen["transfer"]["from"].as_str() else { return Ok(overrides) };
    let mut from = base.join(given);
    if Repository::is_named_by(given) {
        from = folder(Path::new(given), &START, std::io::stderr().is_terminal(), |_| ())?;
        // The run's recipe names the commit that it started from.
        overrides.push(format!("transfer.from={}", Value::from(from.to_string_lossy())));
    }
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
