//! Where each step's gradient comes from.

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use crucible_data::{epoch_order, epoch_order_by_length};
use crucible_models::{Network, Tapped, Training, weights::State};
use rand_chacha::ChaCha8Rng;

use crate::{Batch, Batches, Objective, RunFolder, TrainError, side_by_side::SideBySide};

/// Where a job stands when a step is about to be taken.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The step's number, from 1.
    pub step: u64,
    /// Its epoch, from 1.
    pub epoch: u64,
    /// Steps taken in the epoch before it.
    pub epoch_step: u64,
    /// The share of the job's steps that are done, 0 to 1.
    pub progress: f64,
}

/// From the training examples and a network to the gradient that the optimizer steps by: which examples a step sees, and
/// what becomes of their gradients.
///
/// A rule finds everything anew from the moment, from what it left in the run folder and from its [state](Self::state),
/// so that a job can go on from any checkpoint to the same bytes.
pub trait UpdateRule {
    /// Whether the steps keep the guarantee of `train.privacy`.
    fn is_private(&self) -> bool {
        false
    }

    /// Training begins, or goes on after `step` steps, in this folder.
    ///
    /// # Errors
    ///
    /// Where a file of the rule cannot be read or written.
    fn begin(&mut self, _batches: &Batches<'_>, _folder: &RunFolder, _step: u64) -> Result<(), TrainError> {
        Ok(())
    }

    /// What the rule itself has learned so far, which checkpoints keep.
    fn state(&self) -> State {
        State::new()
    }

    /// Takes up what a checkpoint kept.
    ///
    /// # Errors
    ///
    /// Says what is wrong where that is not this rule's.
    fn restore(&mut self, state: &State) -> Result<(), String> {
        match state.keys().next() {
            Some(name) => Err(format!("`{name}` belongs to another way of training")),
            None => Ok(()),
        }
    }

    /// The examples of the step, none where it may not be taken, which ends training. What the step costs is on the disk
    /// when this returns.
    ///
    /// # Errors
    ///
    /// Where a file of the rule cannot be written.
    fn sample(&mut self, batches: &Batches<'_>, moment: Moment) -> Result<Option<Vec<u32>>, TrainError>;

    /// The mean over these examples of what is made small, and the gradient to step by. The mean of no examples is 0.
    ///
    /// # Errors
    ///
    /// Where there is no gradient to step by.
    fn gradient(
        &mut self,
        network: &Network,
        batches: &Batches<'_>,
        indices: &[u32],
        moment: Moment,
    ) -> Result<(f64, GradientsParams), TrainError>;

    /// What the learning rate of a parameter is multiplied by in a step; with 0 it stays as it is.
    fn rate(&self, _parameter: &str, _moment: Moment) -> f64 {
        1.0
    }

    /// The network after a step, with what may not change put back.
    fn settle(&self, network: Network) -> Network {
        network
    }

    /// The network as it is measured and kept in checkpoints, of one that is being trained.
    ///
    /// Done twice, it changes nothing more.
    fn deployed(&self, network: Network) -> Network {
        network
    }

    /// The network that is the result of training, of one that was measured.
    fn kept(&self, network: Network) -> Network {
        network
    }

    /// Training has ended in this folder, with this network as it was measured, and will not go on.
    ///
    /// # Errors
    ///
    /// Where a file of the rule cannot be written or removed.
    fn finish(&mut self, _network: &Network, _folder: &RunFolder) -> Result<(), TrainError> {
        Ok(())
    }
}

/// The gradient of an objective over the examples in a new order each epoch, which is found from the seed and the epoch alone;
/// texts of like length come together where [`Batches::lengths`] are known.
pub struct Ordinary {
    objective: Box<dyn Objective>,
    /// The order of an epoch, and which.
    order: (u64, Vec<u32>),
    /// Threads for parts of a batch, where that is faster.
    threads: Option<SideBySide>,
}

impl std::fmt::Debug for Ordinary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ordinary").finish_non_exhaustive()
    }
}

impl Ordinary {
    /// Makes `objective` small: [`PlainLoss`](crate::PlainLoss), or a defence.
    #[must_use]
    pub fn new(objective: impl Objective + 'static) -> Self {
        Self { objective: Box::new(objective), order: (0, Vec::new()), threads: None }
    }
}

impl UpdateRule for Ordinary {
    fn begin(&mut self, batches: &Batches<'_>, _: &RunFolder, _: u64) -> Result<(), TrainError> {
        // Networks of texts have many small layers, and none that looks at a batch as a whole.
        let divisible = batches.examples.excerpts().is_some() && self.objective.is_plain();
        self.threads = if divisible && !batches.full_batch { SideBySide::new() } else { None };
        Ok(())
    }

    fn sample(&mut self, batches: &Batches<'_>, moment: Moment) -> Result<Option<Vec<u32>>, TrainError> {
        if self.order.0 != moment.epoch {
            let order = match &batches.lengths {
                Some(lengths) => {
                    epoch_order_by_length(batches.seed, moment.epoch, lengths, batches.batch_size)
                }
                None => epoch_order(batches.seed, moment.epoch, batches.examples.len()),
            };
            self.order = (moment.epoch, order);
        }
        let order = &self.order.1;
        let size = if batches.full_batch { order.len() } else { batches.batch_size };
        let start = moment.epoch_step as usize * size;
        Ok(Some(order[start..order.len().min(start + size)].to_vec()))
    }

    fn gradient(
        &mut self,
        network: &Network,
        batches: &Batches<'_>,
        indices: &[u32],
        moment: Moment,
    ) -> Result<(f64, GradientsParams), TrainError> {
        let (step, progress) = (moment.step, moment.progress);
        if let Some(threads) = self.threads.as_ref().filter(|threads| indices.len() >= 2 * threads.parts()) {
            return Ok(in_parts(threads, network, batches, indices, step));
        }
        let mut draws = Draws { tap: batches.tap(step), rng: batches.stream("objective", step), progress };
        if !batches.full_batch {
            return Ok(self.backward(network, batches, indices, 1.0, &mut draws));
        }
        // Added up over parts, so that memory stays bounded.
        let mut sum = GradientsAccumulator::new();
        let mut loss = 0.0;
        for part in indices.chunks(batches.batch_size) {
            let share = part.len() as f64 / indices.len() as f64;
            let (value, gradients) = self.backward(network, batches, part, share, &mut draws);
            loss += value * share;
            sum.accumulate(network, gradients);
        }
        Ok((loss, sum.grads()))
    }
}

impl Ordinary {
    fn backward(
        &self,
        network: &Network,
        batches: &Batches<'_>,
        indices: &[u32],
        share: f64,
        draws: &mut Draws,
    ) -> (f64, GradientsParams) {
        let (inputs, targets) = (batches.inputs(indices), batches.targets(indices));
        let (loss, progress) = (batches.loss, draws.progress);
        let Draws { tap, rng, .. } = draws;
        let loss = self.objective.loss(Batch { network, inputs, targets, loss, tap, rng, progress });
        pull_back(network, &loss, share)
    }
}

/// The loss of a batch and its gradient, by parts of it on threads of their own. Of examples that are sorted by length each part
/// has some of every length.
fn in_parts(
    threads: &SideBySide,
    network: &Network,
    batches: &Batches<'_>,
    indices: &[u32],
    step: u64,
) -> (f64, GradientsParams) {
    threads.gradient(network, |network, part| {
        let own: Vec<u32> = indices.iter().copied().skip(part).step_by(threads.parts()).collect();
        let share = own.len() as f64 / indices.len() as f64;
        let mut tap = Training { rng: batches.stream(&format!("dropout/{part}"), step) };
        let outputs = network.forward(batches.inputs(&own), &mut tap);
        batches.loss.forward(outputs, batches.targets(&own)).mul_scalar(share)
    })
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
