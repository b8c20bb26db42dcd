//! One step again and again on the same batch, without a data set, a schedule or files.

use burn::module::Module;
use burn::tensor::Tensor;
use crucible_models::{Network, Tap, Tapped, Training};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{Updater, optimizers::Optimizer, rule, side_by_side::SideBySide};

/// A mean loss of a batch, from outputs and targets of the same shape.
pub type BatchLoss<'a> = &'a (dyn Fn(Tensor<2>, Tensor<2>) -> Tensor<1> + Sync);

/// A network with its optimizer and one batch to train on.
pub struct Stepper<'a> {
    network: Option<Network>,
    updater: Updater,
    lr: f64,
    loss: BatchLoss<'a>,
    inputs: Tensor<2>,
    targets: Tensor<2>,
    tap: Box<dyn Tap + 'a>,
    threads: Option<SideBySide>,
}

impl std::fmt::Debug for Stepper<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stepper").field("updater", &self.updater).finish_non_exhaustive()
    }
}

impl<'a> Stepper<'a> {
    /// A step's ingredients: `inputs` `[n, features]` and `targets` `[n, outputs]` on a device without autodiff, and
    /// the tap of the forward pass.
    #[must_use]
    pub fn new(
        network: Network,
        optimizer: &dyn Optimizer,
        loss: BatchLoss<'a>,
        inputs: Tensor<2>,
        targets: Tensor<2>,
        tap: impl Tap + 'a,
    ) -> Self {
        Self {
            network: Some(network.train()),
            updater: Updater::new(optimizer),
            lr: optimizer.lr(),
            loss,
            inputs: Tensor::from_inner(inputs),
            targets: Tensor::from_inner(targets),
            tap: Box::new(tap),
            threads: None,
        }
    }

    /// Takes the batch in parts on threads of their own, as texts are in training; the tap is that of training then, with masks
    /// from a generator that starts anew.
    #[must_use]
    pub fn in_parts(self) -> Self {
        Self { threads: SideBySide::new(), ..self }
    }

    /// Takes one step and returns the loss before it.
    pub fn step(&mut self) -> f64 {
        // Away while the optimizer has it, so that weights are updated where they lie.
        let network = self.network.take().expect("put back below");
        let (inputs, targets) = (self.inputs.clone(), self.targets.clone());
        let (loss, gradients) = match &self.threads {
            Some(threads) => {
                let (parts, count) = (threads.parts(), inputs.dims()[0]);
                threads.gradient(&network, |network, part| {
                    let (first, end) = (part * count / parts, (part + 1) * count / parts);
                    let of = |tensor: &Tensor<2>| tensor.clone().narrow(0, first, end - first);
                    let mut tap = Training { rng: ChaCha8Rng::seed_from_u64(part as u64) };
                    let outputs = network.forward(of(&inputs), &mut tap);
                    (self.loss)(outputs, of(&targets)).mul_scalar((end - first) as f64 / count as f64)
                })
            }
            None => {
                let loss = (self.loss)(network.forward(inputs, &mut *self.tap), targets);
                rule::pull_back(&network, &loss, 1.0)
            }
        };
        let lr = self.lr;
        self.network = Some(self.updater.step(network, gradients, &|_| lr));
        loss
    }
}
