//! What a step makes small.

use burn::tensor::Tensor;
use crucible_models::{Network, Tapped, Training};
use rand_chacha::ChaCha8Rng;

use crate::losses::Loss;

/// One batch, as an [`Objective`] sees it.
pub struct Batch<'a> {
    /// The network, tracked by autodiff.
    pub network: &'a Network,
    /// `[n, features]`.
    pub inputs: Tensor<2>,
    /// `[n, outputs]`, as the loss encodes them.
    pub targets: Tensor<2>,
    /// The recipe's loss.
    pub loss: &'a dyn Loss,
    /// The tap of training, with the generator of dropout's masks.
    pub tap: &'a mut Training,
    /// A generator of the objective's own: that of this step, whatever came before.
    pub rng: &'a mut ChaCha8Rng,
    /// The share of the job's steps that are done, 0 to 1.
    pub progress: f64,
}

impl std::fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("inputs", &self.inputs.dims()).finish_non_exhaustive()
    }
}

/// From a batch to what its step makes small, a scalar. It keeps no state between steps, so that a job can go on from
/// any checkpoint to the same bytes.
pub trait Objective {
    /// The objective of a batch.
    fn loss(&self, batch: Batch<'_>) -> Tensor<1>;

    /// Whether it is the recipe's loss of the network's outputs and nothing more, so that a batch may be computed in parts.
    fn is_plain(&self) -> bool {
        false
    }
}

/// The loss of the network's outputs.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainLoss;

impl Objective for PlainLoss {
    fn loss(&self, batch: Batch<'_>) -> Tensor<1> {
        batch.loss.forward(batch.network.forward(batch.inputs, batch.tap), batch.targets)
    }

    fn is_plain(&self) -> bool {
        true
    }
}
