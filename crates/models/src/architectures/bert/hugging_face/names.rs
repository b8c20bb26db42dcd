//! Our names and Hugging Face's.

use crate::{
    Activation,
    architectures::bert::{BertConfig, TokenPooling},
    weights::State,
};

/// Networks that share names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// BERT, and what was distilled from it with the same layers, such as MiniLM.
    Bert,
    /// RoBERTa and XLM-RoBERTa.
    Roberta,
    /// DistilBERT.
    DistilBert,
}

/// Our beginning of a name, and theirs; the rest is the same. One of ours can be several of theirs, one above the other.
type Table = &'static [(&'static str, &'static [&'static str])];

const BERT_LAYER: Table = &[
    ("self_attn.in_proj_", &["attention.self.query.", "attention.self.key.", "attention.self.value."]),
    ("self_attn.out_proj.", &["attention.output.dense."]),
    ("norm1.", &["attention.output.LayerNorm."]),
    ("linear1.", &["intermediate.dense."]),
    ("linear2.", &["output.dense."]),
    ("norm2.", &["output.LayerNorm."]),
];
const DISTILBERT_LAYER: Table = &[
    ("self_attn.in_proj_", &["attention.q_lin.", "attention.k_lin.", "attention.v_lin."]),
    ("self_attn.out_proj.", &["attention.out_lin."]),
    ("norm1.", &["sa_layer_norm."]),
    ("linear1.", &["ffn.lin1."]),
    ("linear2.", &["ffn.lin2."]),
    ("norm2.", &["output_layer_norm."]),
];
const EMBEDDINGS: Table = &[
    ("words.", &["embeddings.word_embeddings."]),
    ("positions.", &["embeddings.position_embeddings."]),
    ("types.", &["embeddings.token_type_embeddings."]),
    ("norm.", &["embeddings.LayerNorm."]),
];
const BERT_HEAD: Table = &[("pooler.", &["pooler.dense."]), ("head.", &["classifier."])];
const ROBERTA_HEAD: Table = &[("pooler.", &["classifier.dense."]), ("head.", &["classifier.out_proj."])];
const DISTILBERT_HEAD: Table = &[("pooler.", &["pre_classifier."]), ("head.", &["classifier."])];

/// Heads for tasks that are not this network's.
const OTHER_HEADS: [&str; 6] =
    ["cls.", "lm_head.", "vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "qa_outputs."];
/// The numbers of places and kinds, which some versions save.
const BUFFERS: [&str; 2] = ["embeddings.position_ids", "embeddings.token_type_ids"];

impl Family {
    /// The family of a `model_type`.
    pub(super) fn find(model_type: &str) -> Option<Self> {
        match model_type {
            "bert" => Some(Self::Bert),
            "roberta" | "xlm-roberta" => Some(Self::Roberta),
            "distilbert" => Some(Self::DistilBert),
            _ => None,
        }
    }

    /// The name of a tensor without the prefix of the encoder within a classifier, in today's words.
    pub(super) fn plain(self, name: &str) -> String {
        let prefix = match self {
            Self::Bert => "bert.",
            Self::Roberta => "roberta.",
            Self::DistilBert => "distilbert.",
        };
        let name = name.strip_prefix(prefix).unwrap_or(name);
        // The first versions had TensorFlow's words.
        match name.rsplit_once('.') {
            Some((layer, "gamma")) => format!("{layer}.weight"),
            Some((layer, "beta")) => format!("{layer}.bias"),
            _ => name.to_owned(),
        }
    }

    /// The prefix that one of our parameters has within a classifier: RoBERTa's and DistilBERT's poolers are the head's.
    pub(super) fn prefix(self, ours: &str) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::Roberta | Self::DistilBert if ours.starts_with("pooler") => "",
            Self::Roberta => "roberta.",
            Self::DistilBert => "distilbert.",
        }
    }

    /// The family that a network of these sizes is written as.
    #[must_use]
    pub fn of(config: &BertConfig) -> Self {
        match (config.position_offset, config.token_types) {
            (0, 0) => Self::DistilBert,
            (0, _) => Self::Bert,
            _ => Self::Roberta,
        }
    }

    /// The class of `transformers` that tells texts' classes apart.
    #[must_use]
    pub fn classifier(self) -> &'static str {
        match self {
            Self::Bert => "BertForSequenceClassification",
            Self::Roberta => "RobertaForSequenceClassification",
            Self::DistilBert => "DistilBertForSequenceClassification",
        }
    }

    /// Hugging Face's names of one of our parameters, with the prefix that the encoder has within a classifier.
    pub(crate) fn full_names(self, ours: &str, head: bool) -> Option<Vec<String>> {
        let prefix = if head && !ours.starts_with("head") { self.prefix(ours) } else { "" };
        let names = self.theirs(ours, head)?;
        Some(names.into_iter().map(|name| format!("{prefix}{name}")).collect())
    }

    /// Hugging Face's names of one of our parameters, three for query, key and value; of a network with a head for whole
    /// texts or without.
    pub(super) fn theirs(self, ours: &str, head: bool) -> Option<Vec<String>> {
        let (list, layer) = match self {
            Self::Bert | Self::Roberta => ("encoder.layer.", BERT_LAYER),
            Self::DistilBert => ("transformer.layer.", DISTILBERT_LAYER),
        };
        let found = |table: Table, name: &str| {
            table.iter().find_map(|(ours, theirs)| {
                let leaf = name.strip_prefix(ours)?;
                Some(theirs.iter().map(|theirs| format!("{theirs}{leaf}")).collect::<Vec<_>>())
            })
        };
        if let Some((number, rest)) = ours.strip_prefix("layers.").and_then(|rest| rest.split_once('.')) {
            let names = found(layer, rest)?;
            return Some(names.into_iter().map(|name| format!("{list}{number}.{name}")).collect());
        }
        found(EMBEDDINGS, ours).or_else(|| found(self.head_names(head), ours))
    }

    fn head_names(self, head: bool) -> Table {
        match self {
            Self::Roberta if head => ROBERTA_HEAD,
            // By itself RoBERTa has the same pooler as BERT.
            Self::Bert | Self::Roberta => BERT_HEAD,
            Self::DistilBert => DISTILBERT_HEAD,
        }
    }

    /// Classes that a head for whole texts tells apart, 0 where there is none.
    pub(super) fn head(self, tensors: &State) -> usize {
        let find = |ours| self.theirs(ours, true).and_then(|names| tensors.get(&names[0]));
        let (pooler, head) = (find("pooler.weight"), find("head.weight"));
        pooler.and(head).and_then(|head| head.shape.first().copied()).unwrap_or(0)
    }

    /// Leaves what the encoder and its head are made of.
    pub(super) fn drop_other_heads(self, tensors: &mut State, head: bool) {
        let other = |name: &str| OTHER_HEADS.iter().any(|prefix| name.starts_with(prefix));
        // A classifier without the layer before it tells tokens apart.
        let of_tokens = |name: &str| !head && name.starts_with("classifier.");
        tensors.retain(|name, _| !other(name) && !of_tokens(name) && !BUFFERS.contains(&name.as_str()));
    }

    /// Whether there is a layer before the classes, and which token a head reads.
    pub(super) fn pooler(self, tensors: &State, head: bool, config: &mut BertConfig) {
        let names = self.theirs("pooler.weight", head).unwrap_or_default();
        let function = if self == Self::DistilBert { Activation::Relu } else { Activation::Tanh };
        config.pooler = names.iter().any(|name| tensors.contains_key(name)).then_some(function);
        if head {
            config.pooling = TokenPooling::Cls;
        }
    }
}
