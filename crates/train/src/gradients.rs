//! What is done to gradients before the optimizer sees them.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use crucible_kernels::norm;

/// Scales all gradients so that their norm together is at most `max_norm`: PyTorch's `clip_grad_norm_`.
pub(crate) fn clip_global_norm(
    network: &impl Module,
    gradients: GradientsParams,
    max_norm: f64,
) -> GradientsParams {
    let mut norm = SquaredNorm { gradients, sum: 0.0 };
    network.visit(&mut norm);
    let scale = max_norm / (norm.sum.sqrt() + 1e-6);
    if scale >= 1.0 {
        return norm.gradients;
    }
    let mut scaled = Scale { gradients: norm.gradients, scale };
    network.visit(&mut scaled);
    scaled.gradients
}

struct SquaredNorm {
    gradients: GradientsParams,
    sum: f64,
}

impl ModuleVisitor for SquaredNorm {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sum += norm(gradient).powi(2);
        }
    }
}

struct Scale {
    gradients: GradientsParams,
    scale: f64,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient.mul_scalar(self.scale));
        }
    }
}

/// Adds `l1 · sign(w)` to the gradient of each weight of rank 2 or more.
pub(crate) fn add_l1(network: &impl Module, gradients: GradientsParams, l1: f64) -> GradientsParams {
    let mut added = AddSign { gradients, l1 };
    network.visit(&mut added);
    added.gradients
}

struct AddSign {
    gradients: GradientsParams,
    l1: f64,
}

impl ModuleVisitor for AddSign {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D >= 2
            && let Some(gradient) = self.gradients.remove::<D>(param.id)
        {
            let sign = param.val().inner().sign();
            self.gradients.register(param.id, gradient + sign.mul_scalar(self.l1));
        }
    }
}

/// Scales the weights into each unit (each row of a matrix, each filter of a convolution) down to norm `max_norm`.
pub(crate) fn constrain_max_norm<M: Module>(network: M, max_norm: f64) -> M {
    network.map(&mut MaxNorm { max_norm })
}

struct MaxNorm {
    max_norm: f64,
}

impl ModuleMapper for MaxNorm {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D < 2 || !param.is_require_grad() {
            return param;
        }
        param.map(|weight| {
            let tracked = weight.is_require_grad();
            let shape = weight.dims();
            let rows = weight.inner().reshape([shape[0] as i32, -1]);
            let norms = rows.clone().square().sum_dim(1).sqrt().clamp_min(1e-30);
            let factor = norms.recip().mul_scalar(self.max_norm).clamp_max(1.0);
            Tensor::from_inner((rows * factor).reshape(shape)).set_require_grad(tracked)
        })
    }
}
