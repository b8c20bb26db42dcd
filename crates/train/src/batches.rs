//! The training examples as steps see them.

use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::{Examples, seed};
use crucible_models::Training;
use rand_chacha::ChaCha8Rng;

use crate::losses::{Loss, encode_targets};

/// The training split, and what every step of a job shares.
pub struct Batches<'a> {
    /// The training split.
    pub examples: &'a Examples,
    /// The recipe's loss.
    pub loss: &'a dyn Loss,
    /// Values that the network answers with, and that a target is encoded as.
    pub outputs: usize,
    /// The seed of every random draw.
    pub seed: u64,
    /// Where to compute, with autodiff.
    pub device: Device,
    /// Examples in a step, or of those that are computed at a time where a step takes all.
    pub batch_size: usize,
    /// Whether each step takes all examples.
    pub full_batch: bool,
    /// Tokens of each example, where those of a batch are to be of like length.
    pub lengths: Option<Vec<u32>>,
}

impl std::fmt::Debug for Batches<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("examples", &self.examples.len()).finish_non_exhaustive()
    }
}

impl Batches<'_> {
    /// The inputs of the examples at `indices`, `[indices, features]`.
    #[must_use]
    pub fn inputs(&self, indices: &[u32]) -> Tensor<2> {
        let mut values = Vec::new();
        self.examples.gather(indices, &mut values);
        let shape = [indices.len(), self.examples.input_len()];
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// Their targets as the loss encodes them, `[indices, outputs]`.
    #[must_use]
    pub fn targets(&self, indices: &[u32]) -> Tensor<2> {
        let targets = encode_targets(self.loss, self.examples, indices, self.outputs);
        Tensor::from_data(TensorData::new(targets, [indices.len(), self.outputs]), &self.device)
    }

    /// The tap of a step, which draws dropout's masks.
    #[must_use]
    pub fn tap(&self, step: u64) -> Training {
        Training { rng: self.stream("dropout", step) }
    }

    /// The generator of a step for what `name` says.
    #[must_use]
    pub fn stream(&self, name: &str, step: u64) -> ChaCha8Rng {
        seed::stream(self.seed, name, step)
    }
}
