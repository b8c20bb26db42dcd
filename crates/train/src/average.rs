//! Exponential moving average of the weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use crucible_kernels::axpby;

/// `average ← decay · average + (1 − decay) · network`, parameters and running statistics alike. Neither may be
/// tracked by autodiff, and both must be copies of one network.
pub(crate) fn blend<M: Module>(average: M, network: &M, decay: f64) -> M {
    // The container is Burn's map from parameter to tensor of any rank; there are no gradients in it here.
    let mut current = Values(GradientsParams::new());
    network.visit(&mut current);
    average.map(&mut Blend { current: current.0, decay })
}

struct Values(GradientsParams);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.val());
    }
}

struct Blend {
    current: GradientsParams,
    decay: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.current.remove::<D>(param.id) {
            Some(current) => param.map(|average| axpby(self.decay, average, 1.0 - self.decay, current)),
            None => param,
        }
    }
}
