use burn::tensor::Tensor;
use crucible_models::{
    Activation, InputShape, Tap,
    layers::{Conv2d, Linear, Padding, SelfAttention},
};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{Attribution, Coarse, Examples, ExplainError, Layers, Model, chain::batches};

/// From which tokens the output draws: the attention matrices of all layers, averaged over heads and mixed half and half
/// with the identity for the residual connections, multiplied; the mean over the output's tokens, since the networks here
/// average them. It sees attention alone: the class, the values and the other layers change nothing.
///
/// The relevance of the tokens of an input adds up to one. Each pixel of a patch, and each value of a token, gets its
/// token's relevance.
///
/// S. Abnar, W. Zuidema: Quantifying attention flow in transformers, 2020.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionRollout {}

impl Method for AttentionRollout {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        _: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        let layers = model.with_layers()?;
        let mut coarse = Coarse { values: Vec::new(), height: 1, width: 0 };
        let mut cells = Vec::new();
        for (inputs, _) in batches(on) {
            let seen = Rollout::record(layers, inputs)?;
            cells = seen.cells(on.shape)?;
            (coarse.height, coarse.width) =
                seen.grid.map_or((1, seen.tokens), |(grid, _)| (grid[0], grid[1]));
            coarse.values.extend(seen.relevance());
        }
        let tokens = coarse.height * coarse.width;
        let maps = coarse.values.chunks_exact(tokens.max(1));
        let values = maps.flat_map(|map| cells.iter().map(|cell| cell.map_or(0.0, |cell| map[cell])));
        Ok(Attribution { values: values.collect(), gaps: None, coarse: Some(coarse) })
    }
}

/// The product of the attention matrices so far, `[n, tokens, tokens]`, and what the tokens are.
#[derive(Default)]
struct Rollout {
    product: Vec<f64>,
    tokens: usize,
    /// Rows and columns of patches, and the pixels from one to the next.
    grid: Option<([usize; 2], [usize; 2])>,
    layers: Vec<String>,
    mixed: bool,
}

impl Rollout {
    fn record(layers: Layers<'_>, inputs: &[f32]) -> Result<Self, ExplainError> {
        let mut seen = Self::default();
        let _ = layers.network.forward(layers.input(inputs), &mut seen);
        match seen.tokens {
            0 => Err(ExplainError::NoAttention { layers: seen.layers }),
            tokens if seen.mixed => {
                Err(ExplainError::Tokens { tokens, features: layers.scaling.scale.len() })
            }
            _ => Ok(seen),
        }
    }

    /// The mean over the output's tokens, `[n, tokens]`.
    fn relevance(&self) -> Vec<f32> {
        let tokens = self.tokens;
        let mean = |matrix: &[f64]| -> Vec<f32> {
            let column = |j: usize| (0..tokens).map(|i| matrix[i * tokens + j]).sum::<f64>() / tokens as f64;
            (0..tokens).map(|j| column(j) as f32).collect()
        };
        self.product.chunks_exact(tokens * tokens).flat_map(mean).collect()
    }

    /// The token of each feature; pixels that no patch covers have none.
    fn cells(&self, shape: InputShape) -> Result<Vec<Option<usize>>, ExplainError> {
        let (tokens, features) = (self.tokens, shape.features());
        match (shape, self.grid) {
            (InputShape::Image { height, width, .. }, Some(([rows, columns], [down, along])))
                if rows * columns == tokens =>
            {
                let cell = |pixel: usize| {
                    let (row, column) = (pixel / width / down, pixel % width / along);
                    (row < rows && column < columns).then_some(row * columns + column)
                };
                Ok((0..features).map(|i| cell(i % (height * width))).collect())
            }
            (InputShape::Sequence { length, width }, None) if length == tokens => {
                Ok((0..features).map(|i| Some(i / width)).collect())
            }
            _ => Err(ExplainError::Tokens { tokens, features }),
        }
    }
}

impl Tap for Rollout {
    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        self.layers.push(layer.name().to_owned());
        layer.forward(input, activation)
    }

    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        self.layers.push(layer.name().to_owned());
        let output = layer.forward(input, activation);
        let [_, _, height, width] = output.dims();
        self.grid = Some(([height, width], layer.config().stride));
        output
    }

    fn self_attention(
        &mut self,
        layer: &SelfAttention,
        packed: Tensor<3>,
        padding: Option<&Padding>,
    ) -> Tensor<3> {
        let [batch, tokens, _] = packed.dims();
        let matrices = attention(layer, &packed);
        if self.product.is_empty() {
            self.tokens = tokens;
            self.product = matrices;
        } else if self.product.len() == batch * tokens * tokens && self.tokens == tokens {
            let pairs =
                matrices.chunks_exact(tokens * tokens).zip(self.product.chunks_exact(tokens * tokens));
            self.product = pairs.flat_map(|(later, earlier)| product(later, earlier, tokens)).collect();
        } else {
            self.mixed = true;
        }
        // Texts of different lengths have no common map.
        self.mixed |= padding.is_some();
        layer.attend(packed, padding)
    }
}

/// `½ A + ½ I` with `A` the mean over the heads of `softmax(Q Kᵀ / √d)`, `[n, tokens, tokens]`. Its rows add up to one.
fn attention(layer: &SelfAttention, packed: &Tensor<3>) -> Vec<f64> {
    let [batch, tokens, triple] = packed.dims();
    let (width, heads) = (triple / 3, layer.heads());
    let size = width / heads;
    let values: Vec<f32> = packed.to_data().try_to_vec().expect("networks here hold f32");
    let row = |example: usize, token: usize, from: usize| {
        &values[(example * tokens + token) * triple + from..][..size]
    };
    let mut matrices = vec![0.0; batch * tokens * tokens];
    for (line, sums) in matrices.chunks_exact_mut(tokens.max(1)).enumerate() {
        let (example, token) = (line / tokens, line % tokens);
        let seen = if layer.is_causal() { token + 1 } else { tokens };
        for head in 0..heads {
            let query = row(example, token, head * size);
            let score = |other: usize| {
                let key = row(example, other, width + head * size);
                let dot: f64 = query.iter().zip(key).map(|(&q, &k)| f64::from(q) * f64::from(k)).sum();
                dot / (size as f64).sqrt()
            };
            let scores: Vec<f64> = (0..seen).map(score).collect();
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|score| (score - top).exp()).sum();
            let parts = scores.iter().map(|score| (score - top).exp() / total);
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += 0.5 * part / heads as f64);
        }
        sums[token] += 0.5;
    }
    matrices
}

fn product(a: &[f64], b: &[f64], size: usize) -> Vec<f64> {
    let cell = |i: usize, j: usize| (0..size).map(|k| a[i * size + k] * b[k * size + j]).sum();
    (0..size * size).map(|place| cell(place / size, place % size)).collect()
}
