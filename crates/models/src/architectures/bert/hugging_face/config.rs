use serde::Deserialize;

use super::{Family, PretrainedError};
use crate::{
    Activation,
    architectures::bert::{BertConfig, TokenPooling},
};

/// The keys of a `config.json` that say what BERT computes.
#[derive(Deserialize)]
struct Bert {
    vocab_size: usize,
    hidden_size: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    intermediate_size: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
    #[serde(default = "tenth")]
    hidden_dropout_prob: f64,
    classifier_dropout: Option<f64>,
    #[serde(default = "one")]
    pad_token_id: usize,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

/// The same of DistilBERT, which has other words for them.
#[derive(Deserialize)]
struct DistilBert {
    vocab_size: usize,
    dim: usize,
    n_heads: usize,
    n_layers: usize,
    hidden_dim: usize,
    #[serde(default = "gelu")]
    activation: String,
    max_position_embeddings: usize,
    #[serde(default = "tenth")]
    dropout: f64,
    #[serde(default = "fifth")]
    seq_classif_dropout: f64,
}

fn gelu() -> String {
    "gelu".to_owned()
}
fn one() -> usize {
    1
}
fn two() -> usize {
    2
}
fn epsilon() -> f64 {
    1e-12
}
fn tenth() -> f64 {
    0.1
}
fn fifth() -> f64 {
    0.2
}

/// Reads the text of a `config.json`.
pub(super) fn read(text: &str) -> Result<(Family, BertConfig), PretrainedError> {
    let damaged = |error: serde_json::Error| PretrainedError::Config(error.to_string());
    let value: serde_json::Value = serde_json::from_str(text).map_err(damaged)?;
    let kind = value.get("model_type").and_then(|kind| kind.as_str());
    let kind = kind.ok_or_else(|| PretrainedError::Config("it has no `model_type`".to_owned()))?;
    let family = Family::find(kind).ok_or_else(|| PretrainedError::Kind { found: kind.to_owned() })?;
    let config = match family {
        Family::DistilBert => distilbert(serde_json::from_value(value).map_err(damaged)?)?,
        Family::Bert | Family::Roberta => bert(family, serde_json::from_value(value).map_err(damaged)?)?,
    };
    Ok((family, config))
}

fn bert(family: Family, config: Bert) -> Result<BertConfig, PretrainedError> {
    if let Some(kind) = config.position_embedding_type.filter(|kind| kind != "absolute") {
        let (key, value) = ("position_embedding_type", format!("\"{kind}\""));
        return Err(PretrainedError::Setting { key, value, allowed: "\"absolute\"" });
    }
    if config.is_decoder {
        let (key, value) = ("is_decoder", "true".to_owned());
        return Err(PretrainedError::Setting { key, value, allowed: "false" });
    }
    Ok(BertConfig {
        vocabulary: config.vocab_size,
        width: config.hidden_size,
        heads: config.num_attention_heads,
        layers: config.num_hidden_layers,
        feedforward: config.intermediate_size,
        activation: activation("hidden_act", &config.hidden_act)?,
        positions: config.max_position_embeddings,
        // RoBERTa counts places from behind its padding token.
        position_offset: if family == Family::Roberta { config.pad_token_id + 1 } else { 0 },
        token_types: config.type_vocab_size,
        epsilon: config.layer_norm_eps,
        dropout: share("hidden_dropout_prob", config.hidden_dropout_prob)?,
        head_dropout: config
            .classifier_dropout
            .map(|dropout| share("classifier_dropout", dropout))
            .transpose()?,
        pooling: TokenPooling::Mean,
        pooler: None,
    })
}

fn distilbert(config: DistilBert) -> Result<BertConfig, PretrainedError> {
    Ok(BertConfig {
        vocabulary: config.vocab_size,
        width: config.dim,
        heads: config.n_heads,
        layers: config.n_layers,
        feedforward: config.hidden_dim,
        activation: activation("activation", &config.activation)?,
        positions: config.max_position_embeddings,
        position_offset: 0,
        token_types: 0,
        epsilon: epsilon(),
        dropout: share("dropout", config.dropout)?,
        head_dropout: Some(share("seq_classif_dropout", config.seq_classif_dropout)?),
        pooling: TokenPooling::Mean,
        pooler: None,
    })
}

fn activation(key: &'static str, name: &str) -> Result<Activation, PretrainedError> {
    match name {
        "gelu" => Ok(Activation::Gelu),
        "relu" => Ok(Activation::Relu),
        "silu" | "swish" => Ok(Activation::Silu),
        "tanh" => Ok(Activation::Tanh),
        _ => Err(PretrainedError::Setting {
            key,
            value: format!("\"{name}\""),
            allowed: "one of \"gelu\", \"relu\", \"silu\" and \"tanh\"",
        }),
    }
}

fn share(key: &'static str, value: f64) -> Result<f64, PretrainedError> {
    match (0.0..1.0).contains(&value) {
        true => Ok(value),
        false => {
            Err(PretrainedError::Setting { key, value: value.to_string(), allowed: "from 0 to below 1" })
        }
    }
}
