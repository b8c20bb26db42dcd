//! One step again and again on the same batch, without a data set, a schedule or files.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use crucible_data::seed;
use crucible_models::{Network, Training};

use crate::{Updater, losses::Loss, optimizers::Optimizer, step};

/// A network with its optimizer and one batch to train on.
pub struct Stepper<'a> {
    network: Option<Network>,
    updater: Updater,
    lr: f64,
    loss: &'a dyn Loss,
    inputs: Tensor<2>,
    targets: Tensor<2>,
    tap: Training,
}

impl std::fmt::Debug for Stepper<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stepper").field("updater", &self.updater).finish_non_exhaustive()
    }
}

impl<'a> Stepper<'a> {
    /// A step's ingredients: `inputs` `[n, features]` on a device without autodiff, and the class of each, below
    /// `outputs`. `seed` draws the dropout masks.
    #[must_use]
    pub fn new(
        network: Network,
        optimizer: &dyn Optimizer,
        loss: &'a dyn Loss,
        inputs: Tensor<2>,
        classes: &[u32],
        outputs: usize,
        seed: u64,
    ) -> Self {
        let device = inputs.device().autodiff();
        let mut targets = Vec::with_capacity(classes.len() * outputs);
        classes.iter().for_each(|&class| loss.encode_class(class, outputs, &mut targets));
        Self {
            network: Some(network.train()),
            updater: Updater::new(optimizer),
            lr: optimizer.lr(),
            loss,
            inputs: Tensor::from_inner(inputs),
            targets: Tensor::from_data(TensorData::new(targets, [classes.len(), outputs]), &device),
            tap: Training { rng: seed::stream(seed, "dropout", 0) },
        }
    }

    /// Takes one step and returns the loss before it.
    pub fn step(&mut self) -> f64 {
        // Away while the optimizer has it, so that weights are updated where they lie.
        let network = self.network.take().expect("put back below");
        let (inputs, targets) = (self.inputs.clone(), self.targets.clone());
        let (loss, gradients) = step::gradient(&network, inputs, targets, self.loss, 1.0, &mut self.tap);
        self.network = Some(self.updater.step(network, gradients, self.lr));
        loss
    }
}
