use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bert;
use crate::{
    Activation, InputShape, ModelError,
    architectures::check_size,
    init::normal,
    layers::{Dropout, Embedding, EncoderLayer, EncoderLayerConfig, LayerNorm, Linear, Positions},
};

/// Sizes of a [`Bert`]; by default those of MiniLM-L6 (Wang et al. 2020, arXiv:2002.10957).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BertConfig {
    /// Kinds of tokens that have a vector.
    #[schemars(range(min = 1))]
    pub vocabulary: usize,
    /// Features of a token.
    #[schemars(range(min = 1))]
    pub width: usize,
    /// Heads of each attention, a divisor of the width.
    #[schemars(range(min = 1))]
    pub heads: usize,
    /// Encoder layers.
    #[schemars(range(min = 1))]
    pub layers: usize,
    /// Units of the two-layer network within each layer.
    #[schemars(range(min = 1))]
    pub feedforward: usize,
    /// The function in that network.
    pub activation: Activation,
    /// Places in a text that have a vector.
    #[schemars(range(min = 1))]
    pub positions: usize,
    /// Vectors of places before the first token's, which no token uses; RoBERTa has 2.
    pub position_offset: usize,
    /// Kinds of texts that have a vector, of which a text alone is the first; 0 for none, as DistilBERT has it.
    pub token_types: usize,
    /// What the normalizations add to the variance.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub epsilon: f64,
    /// Probability of dropping each value of a token's vector and of what a layer adds, while training.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: f64,
    /// Probability of dropping each value that the last layer reads, while training; as `dropout` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub head_dropout: Option<f64>,
    /// Which vector stands for a whole text.
    pub pooling: TokenPooling,
    /// The function of a linear layer between that vector and the classes; without it there is no such layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooler: Option<Activation>,
}

/// Which vector stands for a whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenPooling {
    /// The mean over its tokens.
    Mean,
    /// Its first token's.
    Cls,
}

impl Default for BertConfig {
    fn default() -> Self {
        Self {
            vocabulary: 30_522,
            width: 384,
            heads: 12,
            layers: 6,
            feedforward: 1536,
            activation: Activation::Gelu,
            positions: 512,
            position_offset: 0,
            token_types: 2,
            epsilon: 1e-12,
            dropout: 0.1,
            head_dropout: None,
            pooling: TokenPooling::Mean,
            pooler: None,
        }
    }
}

const NAME: &str = "bert";

impl BertConfig {
    /// Tokens of the longest text that has a position for each.
    #[must_use]
    pub fn places(&self) -> usize {
        self.positions.saturating_sub(self.position_offset)
    }

    /// A network with fresh weights. Without outputs it has no head and gives the texts' vectors.
    pub(in crate::architectures) fn init(
        &self,
        input: InputShape,
        outputs: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Bert, ModelError> {
        self.check(input)?;
        let Self { width, epsilon, dropout, .. } = *self;
        let layer = self.layer();
        let drop = |name: &str, share: f64| (share > 0.0).then(|| Dropout::new(name, share));
        let head = outputs > 0;
        Ok(Bert {
            words: Embedding::new("words", self.vocabulary, width, rng, device),
            positions: Positions::new("positions", self.positions, width, rng, device)
                .starting_at(self.position_offset),
            types: (self.token_types > 0)
                .then(|| Embedding::new("types", self.token_types, width, rng, device)),
            norm: LayerNorm::new("norm", width, epsilon, device),
            layers: (0..self.layers)
                .map(|i| EncoderLayer::new(&format!("layers.{i}"), layer, rng, device))
                .collect(),
            pooler: self.pooler.map(|_| Linear::new("pooler", width, width, rng, device)),
            head: head.then(|| {
                // As `transformers` has the last layer of a classifier.
                Linear::zero_bias("head", normal([outputs, width], 0.02, rng, device), outputs, device)
            }),
            dropout: [
                drop("drop", dropout),
                drop("drop_head", self.head_dropout.unwrap_or(dropout)).filter(|_| head),
            ],
            config: self.clone(),
        })
    }

    fn layer(&self) -> EncoderLayerConfig {
        let Self { width, heads, feedforward, activation, dropout, epsilon, .. } = *self;
        EncoderLayerConfig {
            width,
            heads,
            feedforward,
            activation,
            dropout,
            unit_dropout: 0.0,
            norm_first: false,
            epsilon,
        }
    }

    fn check(&self, input: InputShape) -> Result<(), ModelError> {
        let InputShape::Tokens { length, vocabulary } = input else {
            return Err(ModelError::NeedsTexts { architecture: NAME });
        };
        let (width, heads) = (self.width, self.heads);
        if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
            return Err(ModelError::UnevenHeads { architecture: NAME, width, heads });
        }
        let places = self.places();
        if length > places || places == 0 {
            return Err(ModelError::TooLong { architecture: NAME, length, places });
        }
        if vocabulary > self.vocabulary || self.vocabulary == 0 {
            let known = self.vocabulary;
            return Err(ModelError::Vocabulary { architecture: NAME, given: vocabulary, known });
        }
        let tables = (self.vocabulary as u128 + self.positions as u128 + self.token_types as u128)
            .saturating_mul(width as u128);
        let layer = (width as u128).saturating_mul(4 * width as u128 + 2 * self.feedforward as u128);
        check_size(NAME, layer.saturating_mul(self.layers as u128).saturating_add(tables))
    }
}
