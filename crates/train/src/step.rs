//! The gradient of one step.

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::{Examples, seed};
use crucible_models::{Network, Training};
use rand_chacha::ChaCha8Rng;

use crate::{
    Batch, Objective,
    losses::{Loss, encode_targets},
};

/// What every step of a job shares.
pub(crate) struct Steps<'a> {
    pub(crate) examples: &'a Examples,
    pub(crate) loss: &'a dyn Loss,
    pub(crate) objective: &'a dyn Objective,
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

    /// The objective over the examples at `indices`, and its gradient. Step number `step` draws its dropout masks, and
    /// what else its objective draws, from streams of its own.
    pub(crate) fn gradient(
        &self,
        network: &Network,
        indices: &[u32],
        step: u64,
        progress: f64,
    ) -> (f64, GradientsParams) {
        let mut draws = self.draws(step, progress);
        self.backward(network, indices, 1.0, &mut draws)
    }

    /// The same, added up over batches of `batch_size` so that memory stays bounded.
    pub(crate) fn gradient_in_parts(
        &self,
        network: &Network,
        indices: &[u32],
        batch_size: usize,
        step: u64,
        progress: f64,
    ) -> (f64, GradientsParams) {
        let mut draws = self.draws(step, progress);
        let mut sum = GradientsAccumulator::new();
        let mut loss = 0.0;
        for part in indices.chunks(batch_size) {
            let share = part.len() as f64 / indices.len() as f64;
            let (value, gradients) = self.backward(network, part, share, &mut draws);
            loss += value * share;
            sum.accumulate(network, gradients);
        }
        (loss, sum.grads())
    }

    fn draws(&self, step: u64, progress: f64) -> Draws {
        let stream = |name| seed::stream(self.seed, name, step);
        Draws { tap: Training { rng: stream("dropout") }, rng: stream("objective"), progress }
    }

    fn backward(
        &self,
        network: &Network,
        indices: &[u32],
        share: f64,
        draws: &mut Draws,
    ) -> (f64, GradientsParams) {
        let targets = encode_targets(self.loss, self.examples, indices, self.outputs);
        let targets =
            Tensor::from_data(TensorData::new(targets, [indices.len(), self.outputs]), &self.device);
        let (inputs, loss, progress) = (self.inputs(indices), self.loss, draws.progress);
        let Draws { tap, rng, .. } = draws;
        let loss = self.objective.loss(Batch { network, inputs, targets, loss, tap, rng, progress });
        pull_back(network, &loss, share)
    }
}

/// What a step draws from, and where in the job it stands.
struct Draws {
    tap: Training,
    rng: ChaCha8Rng,
    progress: f64,
}

/// A loss as a number, and the gradient of `share` times it.
pub(crate) fn pull_back(network: &Network, loss: &Tensor<1>, share: f64) -> (f64, GradientsParams) {
    let scaled = if share == 1.0 { loss.clone() } else { loss.clone().mul_scalar(share) };
    let gradients = GradientsParams::from_grads(scaled.backward(), network);
    (f64::from(loss.clone().into_scalar::<f32>()), gradients)
}
