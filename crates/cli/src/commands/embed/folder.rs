//! A folder as Hugging Face and sentence-transformers have it.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use crucible_data::Tokenizer;
use crucible_hub::Wanted;
use crucible_models::{
    InputShape,
    architectures::{
        Bert, TokenPooling,
        hugging_face::{Pretrained, PretrainedError},
    },
};
use serde_json::Value;

use crate::{error::CliError, pretrained};

const TOKENIZER: &str = "tokenizer.json";
const POOLING: &str = "1_Pooling/config.json";
/// Where the number of tokens stands that texts are cut to.
const LIMITS: [(&str, &str); 2] =
    [("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")];

/// What is read of a repository of the hub.
pub(super) const WANTED: [Wanted<'static>; 6] = [
    Wanted::Required(pretrained::CONFIG),
    Wanted::Required(TOKENIZER),
    Wanted::Optional(POOLING),
    Wanted::Optional(LIMITS[0].0),
    Wanted::Optional(LIMITS[1].0),
    Wanted::WEIGHTS,
];

/// What it takes to make vectors of texts.
pub(super) struct Folder {
    root: PathBuf,
    pretrained: Pretrained,
    /// Tokens that texts are cut to.
    pub(super) max_tokens: usize,
}

impl Folder {
    /// Reads the configuration and the weights; what is not given is as the folder says.
    pub(super) fn open(
        root: &Path,
        pooling: Option<TokenPooling>,
        max_tokens: Option<u32>,
    ) -> Result<Self, CliError> {
        let config = pretrained::CONFIG;
        for name in [config, TOKENIZER] {
            if !root.join(name).is_file() {
                let needs = format!("it has no {name}; needed are {config}, {TOKENIZER} and the weights");
                let problem = if root.is_dir() { needs } else { "there is no such folder".to_owned() };
                return Err(CliError::NoModel { path: root.to_owned(), problem });
            }
        }
        let mut pretrained = pretrained::read(root)?;
        if let Some(pooling) = pooling.map_or_else(|| saved_pooling(root), |given| Ok(Some(given)))? {
            pretrained.config.pooling = pooling;
        }
        let places = pretrained.config.places();
        let saved = || saved_limit(root).map(|limit| limit.unwrap_or(places).min(places));
        let max_tokens = max_tokens.map_or_else(saved, |given| Ok(given as usize))?;
        Ok(Self { root: root.to_owned(), pretrained, max_tokens })
    }

    /// The network and what makes its inputs.
    pub(super) fn load(self, device: &Device) -> Result<(Bert, Tokenizer), CliError> {
        let tokenizer = Tokenizer::open(&self.root.join(TOKENIZER), self.max_tokens)?;
        let input = InputShape::Tokens { length: self.max_tokens, vocabulary: tokenizer.vocabulary() };
        let network = self
            .pretrained
            .network(input, device)
            .map_err(|source| CliError::Pretrained { path: self.root.clone(), source })?;
        Ok((network, tokenizer))
    }
}

fn read(root: &Path, name: &str) -> Result<Vec<u8>, CliError> {
    let path = root.join(name);
    std::fs::read(&path).map_err(|source| CliError::File { action: "read", path, source })
}

/// An optional file of the folder.
fn json(root: &Path, name: &str) -> Result<Option<Value>, CliError> {
    if !root.join(name).is_file() {
        return Ok(None);
    }
    let value = serde_json::from_slice(&read(root, name)?).map_err(|error| CliError::Pretrained {
        path: root.join(name),
        source: PretrainedError::Config(error.to_string()),
    })?;
    Ok(Some(value))
}

/// The first limit that is a number of tokens: a tokenizer without one has a number beyond all others.
fn saved_limit(root: &Path) -> Result<Option<usize>, CliError> {
    for (name, key) in LIMITS {
        let limit = json(root, name)?.and_then(|value| value.get(key)?.as_u64());
        if let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) {
            return Ok(Some(limit));
        }
    }
    Ok(None)
}

/// How sentence-transformers was told to pool.
fn saved_pooling(root: &Path) -> Result<Option<TokenPooling>, CliError> {
    let Some(Value::Object(config)) = json(root, POOLING)? else { return Ok(None) };
    let flags = config.iter().filter(|(_, value)| **value == Value::Bool(true));
    let mut modes: Vec<&str> = flags.filter_map(|(key, _)| key.strip_prefix("pooling_mode_")).collect();
    modes.extend(config.get("pooling_mode").and_then(Value::as_str));
    match modes.as_slice() {
        [] | ["mean_tokens" | "mean"] => Ok(Some(TokenPooling::Mean)),
        ["cls_token" | "cls"] => Ok(Some(TokenPooling::Cls)),
        modes => {
            let problem = format!(
                "it pools by {}; --pooling mean or cls takes one of those instead",
                modes.join(" and ")
            );
            let source = PretrainedError::Config(problem);
            Err(CliError::Pretrained { path: root.join(POOLING), source })
        }
    }
}
