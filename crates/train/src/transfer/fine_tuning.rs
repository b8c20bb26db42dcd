use std::collections::BTreeSet;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use crucible_models::{
    Network,
    adapters::{self, peft::Peft},
    weights::{self, Path},
};

use super::{Mode, Place, Places};
use crate::{Around, Moment, RunFolder, TrainError, run_folder::name};

/// What is done around an update rule so that some parameters of a network stay as they are. Adapters are merged in the end,
/// and kept apart in files as `peft` has them.
#[derive(Debug)]
pub struct FineTuning {
    mode: Mode,
    places: Places,
    base: String,
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
    /// For a network whose parameters have these places, and which was `base` before.
    #[must_use]
    pub fn new(mode: Mode, places: Places, base: &str) -> Self {
        Self { mode, places, base: base.to_owned() }
    }

    /// The parameters that are trained, but for those of adapters.
    fn trained_whole(&self) -> BTreeSet<String> {
        let is_whole = |place: &Place| !place.is_adapter && self.mode.way().trains(place);
        let names = self.places.iter().filter(|(_, place)| is_whole(place));
        names.map(|(name, _)| name.clone()).collect()
    }

    /// The network with what is not trained left out of the backward pass.
    #[must_use]
    pub fn frozen(mode: &Mode, places: &Places, network: Network) -> Network {
        network.map(&mut Freeze { mode, places, path: Path::default() })
    }
}

impl Around for FineTuning {
    fn rate(&self, parameter: &str, moment: Moment) -> f64 {
        self.places.get(parameter).map_or(1.0, |place| match self.mode.way().trains(place) {
            true => self.mode.way().rate(place, moment.epoch),
            false => 0.0,
        })
    }

    fn kept(&self, mut network: Network) -> Network {
        adapters::merge(&mut network);
        network
    }

    fn finish(&self, network: &Network, folder: &RunFolder) -> Result<(), TrainError> {
        if !self.places.values().any(|place| place.is_adapter) {
            return Ok(());
        }
        let peft = Peft::of(network, &self.trained_whole(), &self.base);
        folder.write(name::ADAPTER_CONFIG, peft.config.to_json().as_bytes())?;
        folder
            .write(name::ADAPTER, &weights::to_safetensors(&peft.tensors, Some(("format", "pt".to_owned()))))
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
