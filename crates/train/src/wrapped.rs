//! Update rules around another.

use burn::optim::GradientsParams;
use crucible_models::{Network, weights::State};

use crate::{Batches, Moment, RunFolder, TrainError, UpdateRule};

/// What is done around an update rule; nothing by default. Each is done after what the rule itself does there.
pub trait Around {
    /// The gradient to step by.
    fn gradient(&self, _network: &Network, gradients: GradientsParams) -> GradientsParams {
        gradients
    }

    /// What the learning rate of a parameter is multiplied by in a step; with 0 it stays as it is.
    fn rate(&self, _parameter: &str, _moment: Moment) -> f64 {
        1.0
    }

    /// The network after a step, with what may not change put back.
    fn settle(&self, network: Network) -> Network {
        network
    }

    /// The network that is the result of training, of one that was measured.
    fn kept(&self, network: Network) -> Network {
        network
    }

    /// Training has ended in this folder, with this network as it was measured.
    ///
    /// # Errors
    ///
    /// Where a file cannot be written.
    fn finish(&self, _network: &Network, _folder: &RunFolder) -> Result<(), TrainError> {
        Ok(())
    }
}

/// An update rule with something done around it.
pub struct Wrapped<A> {
    rule: Box<dyn UpdateRule>,
    around: A,
}

impl<A> Wrapped<A> {
    /// `around` another rule.
    #[must_use]
    pub fn new(rule: Box<dyn UpdateRule>, around: A) -> Self {
        Self { rule, around }
    }
}

impl<A: std::fmt::Debug> std::fmt::Debug for Wrapped<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wrapped").field("around", &self.around).finish_non_exhaustive()
    }
}

impl<A: Around> UpdateRule for Wrapped<A> {
    fn is_private(&self) -> bool {
        self.rule.is_private()
    }

    fn begin(&mut self, batches: &Batches<'_>, folder: &RunFolder, step: u64) -> Result<(), TrainError> {
        self.rule.begin(batches, folder, step)
    }

    fn state(&self) -> State {
        self.rule.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), String> {
        self.rule.restore(state)
    }

    fn sample(&mut self, batches: &Batches<'_>, moment: Moment) -> Result<Option<Vec<u32>>, TrainError> {
        self.rule.sample(batches, moment)
    }

    fn gradient(
        &mut self,
        network: &Network,
        batches: &Batches<'_>,
        indices: &[u32],
        moment: Moment,
    ) -> Result<(f64, GradientsParams), TrainError> {
        let (loss, gradients) = self.rule.gradient(network, batches, indices, moment)?;
        Ok((loss, self.around.gradient(network, gradients)))
    }

    fn rate(&self, parameter: &str, moment: Moment) -> f64 {
        self.around.rate(parameter, moment) * self.rule.rate(parameter, moment)
    }

    fn settle(&self, network: Network) -> Network {
        self.around.settle(self.rule.settle(network))
    }

    fn deployed(&self, network: Network) -> Network {
        self.rule.deployed(network)
    }

    fn kept(&self, network: Network) -> Network {
        self.around.kept(self.rule.kept(network))
    }

    fn finish(&mut self, network: &Network, folder: &RunFolder) -> Result<(), TrainError> {
        self.rule.finish(network, folder)?;
        self.around.finish(network, folder)
    }
}
