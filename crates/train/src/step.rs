//! The gradient of one step.

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::{Examples, seed};
use crucible_models::{Network, Tap, Tapped, Training};

use crate::losses::{Loss, encode_targets};

/// What every step of a job shares.
pub(crate) struct Steps<'a> {
    pub(crate) examples: &'a Examples,
    pub(crate) loss: &'a dyn Loss,
    pub(crate) outputs: usize,
    pub(crate) seed: u64,
    /// The device with autodiff.
    pub(crate) device: Device,
}

impl Steps<'_> {
    /// The inputs of the examples at `indices`, `[indices, features]`.
    pub(crate) fn inputs(&self, indices: &[u32]) -> Tensor<2> {
        let mut values = Vec::new();
        self.examples.gather(indices, &mut values);
        let shape = [indices.len(), self.examples.input_len()];
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// Mean loss over the examples at `indices`, and its gradient. Step number `step` draws its dropout masks from a
    /// stream of its own.
    pub(crate) fn gradient(&self, network: &Network, indices: &[u32], step: u64) -> (f64, GradientsParams) {
        let mut tap = Training { rng: seed::stream(self.seed, "dropout", step) };
        self.backward(network, indices, 1.0, &mut tap)
    }

    /// The same, added up over batches of `batch_size` so that memory stays bounded.
    pub(crate) fn gradient_in_parts(
        &self,
        network: &Network,
        indices: &[u32],
        batch_size: usize,
        step: u64,
    ) -> (f64, GradientsParams) {
        let mut tap = Training { rng: seed::stream(self.seed, "dropout", step) };
        let mut sum = GradientsAccumulator::new();
        let mut loss = 0.0;
        for part in indices.chunks(batch_size) {
            let share = part.len() as f64 / indices.len() as f64;
            let (value, gradients) = self.backward(network, part, share, &mut tap);
            loss += value * share;
            sum.accumulate(network, gradients);
        }
        (loss, sum.grads())
    }

    fn backward(
        &self,
        network: &Network,
        indices: &[u32],
        share: f64,
        tap: &mut Training,
    ) -> (f64, GradientsParams) {
        let targets = encode_targets(self.loss, self.examples, indices, self.outputs);
        let targets =
            Tensor::from_data(TensorData::new(targets, [indices.len(), self.outputs]), &self.device);
        let loss = |outputs, targets| self.loss.forward(outputs, targets);
        gradient(network, self.inputs(indices), targets, &loss, share, tap)
    }
}

/// The loss of a batch by its outputs and targets, and the gradient of `share` times it.
pub(crate) fn gradient(
    network: &Network,
    inputs: Tensor<2>,
    targets: Tensor<2>,
    loss: &dyn Fn(Tensor<2>, Tensor<2>) -> Tensor<1>,
    share: f64,
    tap: &mut dyn Tap,
) -> (f64, GradientsParams) {
    let loss = loss(network.forward(inputs, tap), targets);
    let scaled = if share == 1.0 { loss.clone() } else { loss.clone().mul_scalar(share) };
    let gradients = GradientsParams::from_grads(scaled.backward(), network);
    (f64::from(loss.into_scalar::<f32>()), gradients)
}
