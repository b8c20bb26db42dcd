use burn::tensor::{Bool, Device, Tensor, TensorData};

/// Which tokens of a batch of sequences are none: padding at the end, or a token that someone took away.
#[derive(Debug, Clone)]
pub struct Padding {
    hidden: Vec<bool>,
    tokens: usize,
    mask: Tensor<2, Bool>,
}

impl Padding {
    /// Of `hidden`, `[batch, tokens]` one row after another, or `None` where no token is hidden.
    ///
    /// # Panics
    ///
    /// Where `hidden` is not a number of rows.
    #[must_use]
    pub fn new(hidden: Vec<bool>, tokens: usize, device: &Device) -> Option<Self> {
        if !hidden.contains(&true) {
            return None;
        }
        let shape = [hidden.len() / tokens, tokens];
        let mask = Tensor::from_data(TensorData::new(hidden.clone(), shape), device);
        Some(Self { hidden, tokens, mask })
    }

    /// True where a token is hidden, `[batch, tokens]`: PyTorch's `key_padding_mask`.
    #[must_use]
    pub fn mask(&self) -> Tensor<2, Bool> {
        self.mask.clone()
    }

    /// Whether a token of an example is hidden.
    #[must_use]
    pub fn is_hidden(&self, example: usize, token: usize) -> bool {
        self.hidden[example * self.tokens + token]
    }

    /// The mean of each sequence's tokens that are not hidden, zero where all are: `[batch, tokens, features]` to
    /// `[batch, features]`.
    #[must_use]
    pub fn mean(&self, input: Tensor<3>) -> Tensor<2> {
        let [batch, tokens, features] = input.dims();
        let weights: Vec<f32> = self.hidden.chunks_exact(tokens).flat_map(weights).collect();
        let weights = Tensor::<3>::from_data(TensorData::new(weights, [batch, 1, tokens]), &input.device());
        weights.matmul(input).reshape([batch, features])
    }
}

/// One over the tokens that are there at each of them, zero elsewhere.
fn weights(hidden: &[bool]) -> Vec<f32> {
    let shown = hidden.iter().filter(|hidden| !**hidden).count().max(1);
    hidden.iter().map(|&hidden| if hidden { 0.0 } else { 1.0 / shown as f32 }).collect()
}
