use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Dropout (Srivastava et al. 2014), inverted: kept units are divided by the probability of being kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropout {
    name: String,
    probability: f64,
}

impl Dropout {
    /// Units are dropped with `probability`, in `[0, 1)`.
    #[must_use]
    pub fn new(name: &str, probability: f64) -> Self {
        Self { name: name.to_owned(), probability }
    }

    /// The name of this site, such as `drop1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Drops units of `[batch, features]`. The mask is drawn on the host, so that it is the same on every device.
    #[must_use]
    pub fn forward(&self, input: Tensor<2>, rng: &mut ChaCha8Rng) -> Tensor<2> {
        if self.probability == 0.0 {
            return input;
        }
        let shape = input.dims();
        let keep = 1.0 - self.probability;
        let scale = (1.0 / keep) as f32;
        let mask: Vec<f32> =
            (0..shape[0] * shape[1]).map(|_| if rng.random::<f64>() < keep { scale } else { 0.0 }).collect();
        let device = input.device();
        input * Tensor::from_data(TensorData::new(mask, shape), &device)
    }
}
