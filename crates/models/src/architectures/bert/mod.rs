//! BERT (Devlin et al. 2019, arXiv:1810.04805) and the encoders of its family.

mod config;
pub mod hugging_face;

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};

pub use config::{BertConfig, TokenPooling};

use crate::{
    Activation, Tap, Tapped,
    layers::{Dropout, Embedding, EncoderLayer, LayerNorm, Linear, Padding, Positions},
};

/// Encoder of texts: vectors of tokens, places and kinds added up and normalized, layers of attention, and one vector for
/// the whole text, which classes are told from.
///
/// A text is a row of token numbers, padded with −1. A batch is cut to its longest text, and no token sees padding.
#[derive(Module, Debug)]
pub struct Bert {
    words: Embedding,
    positions: Positions,
    types: Option<Embedding>,
    norm: LayerNorm,
    layers: Vec<EncoderLayer>,
    pooler: Option<Linear>,
    head: Option<Linear>,
    #[module(skip)]
    dropout: [Option<Dropout>; 2],
    #[module(skip)]
    config: BertConfig,
}

impl Bert {
    /// The sizes.
    #[must_use]
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// One vector for each text, its tokens pooled: `[batch, length]` to `[batch, width]`.
    ///
    /// # Panics
    ///
    /// On the CPU where a number is not of the vocabulary.
    #[must_use]
    pub fn embed(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let (x, padding) = self.encode(input, tap);
        match self.config.pooling {
            TokenPooling::Mean => tap.mean_tokens(x, padding.as_ref()),
            TokenPooling::Cls => tap.first_token(x),
        }
    }

    /// A vector for each token, `[batch, tokens, width]`, and which are padding.
    ///
    /// # Panics
    ///
    /// On the CPU where a number is not of the vocabulary.
    #[must_use]
    pub fn encode(&self, input: Tensor<2>, tap: &mut dyn Tap) -> (Tensor<3>, Option<Padding>) {
        let (tokens, padding) = numbers(input);
        let mut x = tap.embedding(&self.words, tokens.clone());
        if let Some(types) = &self.types {
            // One text alone is of the first kind throughout.
            let first = tap.embedding(types, tokens.zeros_like());
            x = tap.add(x, first);
        }
        x = tap.positions(&self.positions, x);
        x = tap.layer_norm(&self.norm, x);
        if let Some(dropout) = &self.dropout[0] {
            let shape = x.dims();
            x = tap.dropout(dropout, x.flatten(1, 2)).reshape(shape);
        }
        for layer in &self.layers {
            x = layer.forward(x, padding.as_ref(), tap);
        }
        (x, padding)
    }
}

impl Bert {
    pub(in crate::architectures) fn linears(&mut self) -> Vec<&mut Linear> {
        let layers = self.layers.iter_mut().flat_map(EncoderLayer::linears);
        layers.chain(&mut self.pooler).chain(&mut self.head).collect()
    }
}

impl Tapped for Bert {
    /// Classes' scores; of a network without a head, the texts' vectors.
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let mut x = self.embed(input, tap);
        let Some(head) = &self.head else { return x };
        if let (Some(pooler), Some(activation)) = (&self.pooler, self.config.pooler) {
            x = tap.linear(pooler, x, activation);
        }
        if let Some(dropout) = &self.dropout[1] {
            x = tap.dropout(dropout, x);
        }
        tap.linear(head, x, Activation::Identity)
    }
}

/// The numbers of tokens as integers, cut to the longest text, and which are padding. A place without a token has the
/// number 0, which every vocabulary has.
fn numbers(input: Tensor<2>) -> (Tensor<2, Int>, Option<Padding>) {
    let ([batch, length], device) = (input.dims(), input.device());
    let values = input.into_data().try_to_vec::<f32>().expect("networks here hold f32");
    let ends =
        values.chunks_exact(length.max(1)).filter_map(|row| row.iter().rposition(|&id| id.round() >= 0.0));
    let tokens = ends.max().map_or(1, |last| last + 1);
    let kept: Vec<i64> = values
        .chunks_exact(length.max(1))
        .flat_map(|row| row[..tokens.min(length)].iter().map(|id| id.round() as i64))
        .collect();
    let hidden = kept.iter().map(|&id| id < 0).collect();
    let padding = Padding::new(hidden, tokens, &device);
    let numbers: Vec<i64> = kept.into_iter().map(|id| id.max(0)).collect();
    (Tensor::from_data(TensorData::new(numbers, [batch, tokens]), &device), padding)
}
