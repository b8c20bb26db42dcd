//! Two networks with an optimizer each.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use crucible_models::{Discriminator, Generator, generators::Drawing};

use super::{GanConfig, critic::Arena, penalties::clip};
use crate::{Updater, gradients::clip_global_norm, update::UpdaterState};

/// Both sides of a contest.
#[derive(Module, Debug)]
pub struct Pair {
    /// What makes pictures.
    pub generator: Generator,
    /// What judges them.
    pub discriminator: Discriminator,
}

const PRESENT: &str = "a network is back after each step";
const SIDES: [&str; 2] = ["generator.", "discriminator."];

/// Both sides, tracked by autodiff, with their optimizers.
pub(super) struct Contestants {
    /// Away while the optimizer has it, so that weights are updated where they lie.
    generator: Option<Generator>,
    discriminator: Option<Discriminator>,
    updaters: [Updater; 2],
}

impl Contestants {
    pub(super) fn new(pair: Pair, config: &GanConfig) -> Self {
        let Pair { generator, discriminator } = pair.train();
        let updaters = [&config.generator_optimizer, &config.discriminator_optimizer];
        let updaters = updaters.map(|optimizer| Updater::new(optimizer.optimizer()));
        Self { generator: Some(generator), discriminator: Some(discriminator), updaters }
    }

    pub(super) fn both(&self) -> (&Generator, &Discriminator) {
        (self.generator.as_ref().expect(PRESENT), self.discriminator.as_ref().expect(PRESENT))
    }

    /// Both, to be looked at: they share their running statistics with these.
    pub(super) fn pair(&self) -> Pair {
        let (generator, discriminator) = self.both();
        Pair { generator: generator.clone(), discriminator: discriminator.clone() }
    }

    pub(super) fn step_generator(&mut self, gradients: GradientsParams, lr: f64, max_norm: Option<f64>) {
        let network = self.generator.take().expect(PRESENT);
        let gradients = match max_norm {
            Some(max_norm) => clip_global_norm(&network, gradients, max_norm),
            None => gradients,
        };
        self.generator = Some(self.updaters[0].step(network, gradients, &|_| lr));
    }

    pub(super) fn step_discriminator(
        &mut self,
        gradients: GradientsParams,
        lr: f64,
        max_norm: Option<f64>,
        bound: Option<f64>,
    ) {
        let network = self.discriminator.take().expect(PRESENT);
        let gradients = match max_norm {
            Some(max_norm) => clip_global_norm(&network, gradients, max_norm),
            None => gradients,
        };
        let network = self.updaters[1].step(network, gradients, &|_| lr);
        self.discriminator = Some(match bound {
            Some(bound) => clip(network, bound),
            None => network,
        });
    }

    /// The memory of both optimizers, by the names of a [`Pair`]'s parameters.
    pub(super) fn memory(&self) -> UpdaterState {
        let mut both = UpdaterState::default();
        for (side, updater) in SIDES.iter().zip(&self.updaters) {
            let UpdaterState { tensors, counters } = updater.state();
            both.tensors.extend(tensors.into_iter().map(|(name, tensor)| (format!("{side}{name}"), tensor)));
            both.counters.extend(counters.into_iter().map(|(name, count)| (format!("{side}{name}"), count)));
        }
        both
    }

    /// Takes up a saved memory.
    pub(super) fn remember(&mut self, saved: &UpdaterState, device: &Device) -> Result<(), String> {
        for (side, updater) in SIDES.iter().zip(&mut self.updaters) {
            let own = |name: &String| name.strip_prefix(side).map(str::to_owned);
            let tensors =
                saved.tensors.iter().filter_map(|(name, tensor)| Some((own(name)?, tensor.clone())));
            let counters = saved.counters.iter().filter_map(|(name, count)| Some((own(name)?, *count)));
            let state = UpdaterState { tensors: tensors.collect(), counters: counters.collect() };
            updater.restore(&state, device)?;
        }
        Ok(())
    }
}

/// One step of a pair again and again on the same real pictures, without a data set, a schedule or files.
pub struct PairStepper<'a> {
    contestants: Contestants,
    arena: Arena<'a>,
    reals: Tensor<2>,
    step: u64,
}

impl std::fmt::Debug for PairStepper<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PairStepper").field("step", &self.step).finish_non_exhaustive()
    }
}

impl<'a> PairStepper<'a> {
    /// A pair without classes, and real pictures `[batch, features]`, on a device without autodiff.
    #[must_use]
    pub fn new(
        pair: Pair,
        config: &'a GanConfig,
        drawing: Drawing,
        reals: Tensor<2>,
        device: &'a Device,
    ) -> Self {
        let arena = Arena { config, drawing, seed: 1, device };
        Self { contestants: Contestants::new(pair, config), arena, reals, step: 0 }
    }

    /// One step of each side; the losses before it, of generator and discriminator.
    pub fn step(&mut self) -> [f64; 2] {
        self.step += 1;
        let (config, arena) = (self.arena.config, &self.arena);
        let made = arena.make(self.contestants.both().0, None, self.step);
        let pictures = [self.reals.clone(), made.clone().inner()];
        let judged = arena.judge(self.contestants.both().1, pictures, None, self.step);
        let lrs = [&config.generator_optimizer, &config.discriminator_optimizer];
        let lrs = lrs.map(|optimizer| optimizer.optimizer().lr());
        let bound = config.penalty.as_ref().and_then(|penalty| penalty.penalty().bound());
        self.contestants.step_discriminator(judged.gradients, lrs[1], config.clip_norm, bound);
        let (loss, gradients) = arena.pull(self.contestants.both(), made, None, self.step);
        self.contestants.step_generator(gradients, lrs[0], config.clip_norm);
        [loss, judged.loss]
    }
}
