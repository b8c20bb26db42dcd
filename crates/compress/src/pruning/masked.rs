use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{Network, weights::Path};
use crucible_train::Around;

use super::Masks;

/// What is done around an update rule so that pruned weights stay zero.
///
/// Their gradient is zero, so that no clipping by norm, momentum or moment counts them; and because an optimizer may move
/// a weight that has none (Muon does), they are zero again after each step.
pub struct Masked {
    masks: Tensors,
}

/// By parameter name, 1 where a weight stays and 0 where it has gone; none for a parameter that lost nothing.
type Tensors = BTreeMap<String, Tensor<1>>;

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masked").field("masks", &self.masks.keys()).finish()
    }
}

impl Masked {
    /// For a network whose pruned weights are zero: those that `masks` name.
    #[must_use]
    pub fn new(masks: &Masks, device: &Device) -> Self {
        let tensor = |mask: &[bool]| {
            let values: Vec<f32> = mask.iter().map(|stays| f32::from(u8::from(*stays))).collect();
            Tensor::from_data(TensorData::new(values, [mask.len()]), device)
        };
        let losers = masks.iter().filter(|(_, mask)| mask.contains(&false));
        Self { masks: losers.map(|(name, mask)| (name.clone(), tensor(mask))).collect() }
    }
}

impl Around for Masked {
    fn gradient(&self, network: &Network, gradients: GradientsParams) -> GradientsParams {
        let mut masked = Gradients { masks: &self.masks, gradients, path: Path::default() };
        network.visit(&mut masked);
        masked.gradients
    }

    fn settle(&self, network: Network) -> Network {
        network.map(&mut Weights { masks: &self.masks, path: Path::default() })
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
