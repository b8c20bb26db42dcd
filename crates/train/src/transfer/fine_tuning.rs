use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use crucible_models::{
    Network,
    weights::{Path, State},
};

use super::{Mode, Place, Places};
use crate::{Batches, Moment, RunFolder, TrainError, UpdateRule};

/// Another update rule, under which some parameters of a network stay as they are.
pub struct FineTuning {
    rule: Box<dyn UpdateRule>,
    mode: Mode,
    places: Places,
}

impl std::fmt::Debug for FineTuning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FineTuning").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// How many parameters are trained, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Those that are trained.
    pub trainable: usize,
    /// All.
    pub total: usize,
}

impl Parameters {
    /// Those of a network whose parameters have these places.
    #[must_use]
    pub fn of(mode: &Mode, places: &Places) -> Self {
        let count = |places: &mut dyn Iterator<Item = &Place>| places.map(|place| place.count).sum();
        let trainable = count(&mut places.values().filter(|place| mode.way().trains(place)));
        Self { trainable, total: count(&mut places.values()) }
    }
}

impl FineTuning {
    /// `rule` for a network whose parameters have these places.
    #[must_use]
    pub fn new(rule: Box<dyn UpdateRule>, mode: Mode, places: Places) -> Self {
        Self { rule, mode, places }
    }

    /// The network with what is not trained left out of the backward pass.
    #[must_use]
    pub fn frozen(mode: &Mode, places: &Places, network: Network) -> Network {
        network.map(&mut Freeze { mode, places, path: Path::default() })
    }
}

impl UpdateRule for FineTuning {
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
        self.rule.gradient(network, batches, indices, moment)
    }

    fn rate(&self, parameter: &str, moment: Moment) -> f64 {
        let own = self.places.get(parameter).map_or(1.0, |place| match self.mode.way().trains(place) {
            true => self.mode.way().rate(place, moment.epoch),
            false => 0.0,
        });
        own * self.rule.rate(parameter, moment)
    }

    fn settle(&self, network: Network) -> Network {
        self.rule.settle(network)
    }

    fn deployed(&self, network: Network) -> Network {
        self.rule.deployed(network)
    }

    fn kept(&self, network: Network) -> Network {
        self.rule.kept(network)
    }

    fn finish(&mut self, folder: &RunFolder) -> Result<(), TrainError> {
        self.rule.finish(folder)
    }
}

struct Freeze<'a> {
    mode: &'a Mode,
    places: &'a Places,
    path: Path,
}

impl ModuleMapper for Freeze<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let place = self.places.get(&self.path.name());
        if place.is_none_or(|place| self.mode.way().trains(place)) {
            return param;
        }
        param.set_require_grad(false)
    }
}
