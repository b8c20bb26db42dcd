use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{
    Network,
    weights::{Path, State},
};
use crucible_train::{Batches, Moment, RunFolder, TrainError, UpdateRule};

use super::Masks;

/// Another update rule, under which pruned weights stay zero.
///
/// Their gradient is zero, so that no clipping by norm, momentum or moment counts them; and because an optimizer may move
/// a weight that has none (Muon does), they are zero again after each step.
pub struct Masked {
    rule: Box<dyn UpdateRule>,
    masks: Tensors,
}

/// By parameter name, 1 where a weight stays and 0 where it has gone; none for a parameter that lost nothing.
type Tensors = BTreeMap<String, Tensor<1>>;

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masked").field("masks", &self.masks.keys()).finish_non_exhaustive()
    }
}

impl Masked {
    /// `rule` for a network whose pruned weights are zero: those that `masks` name.
    #[must_use]
    pub fn new(rule: Box<dyn UpdateRule>, masks: &Masks, device: &Device) -> Self {
        let tensor = |mask: &[bool]| {
            let values: Vec<f32> = mask.iter().map(|stays| f32::from(u8::from(*stays))).collect();
            Tensor::from_data(TensorData::new(values, [mask.len()]), device)
        };
        let losers = masks.iter().filter(|(_, mask)| mask.contains(&false));
        Self { rule, masks: losers.map(|(name, mask)| (name.clone(), tensor(mask))).collect() }
    }
}

impl UpdateRule for Masked {
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
        let mut masked = Gradients { masks: &self.masks, gradients, path: Path::default() };
        network.visit(&mut masked);
        Ok((loss, masked.gradients))
    }

    fn rate(&self, parameter: &str, moment: Moment) -> f64 {
        self.rule.rate(parameter, moment)
    }

    fn settle(&self, network: Network) -> Network {
        let network = self.rule.settle(network);
        network.map(&mut Weights { masks: &self.masks, path: Path::default() })
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

struct Gradients<'a> {
    masks: &'a Tensors,
    gradients: GradientsParams,
    path: Path,
}

impl ModuleVisitor for Gradients<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(mask) = self.masks.get(&self.path.name())
            && let Some(gradient) = self.gradients.remove::<D>(param.id)
        {
            let mask = mask.clone().reshape(gradient.dims());
            self.gradients.register(param.id, gradient * mask);
        }
    }
}

struct Weights<'a> {
    masks: &'a Tensors,
    path: Path,
}

impl ModuleMapper for Weights<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(mask) = self.masks.get(&self.path.name()) else { return param };
        param.map(|weight| {
            let tracked = weight.is_require_grad();
            let mask = mask.clone().reshape(weight.dims());
            Tensor::from_inner(weight.inner() * mask).set_require_grad(tracked)
        })
    }
}
