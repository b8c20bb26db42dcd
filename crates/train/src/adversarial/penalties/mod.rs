//! What keeps a discriminator smooth, one file each, and the one list that names them.
//!
//! A penalty on the input gradient has a gradient by the weights that takes second derivatives, and Burn has first ones alone. For
//! one picture's gradient `g` of length `n`, the penalty's gradient is that of `⟨g, v⟩` by the weights with `v = (dP/dn / n) g`
//! held fixed, and `⟨g, v⟩` is the derivative of the score in the direction `v`, which [`Tangent`] carries through the network: so
//! one pass backwards gives it, to rounding.

mod gradient_penalty;
mod r1;
mod weight_clipping;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Int, Tensor, TensorData};
use crucible_models::{Discriminates, Discriminator, NoTap, Tangent};

pub use gradient_penalty::GradientPenalty;
pub use r1::R1;
pub use weight_clipping::WeightClipping;

/// What keeps a discriminator smooth.
pub trait Penalty: Sync {
    /// The pictures whose input gradients are looked at; none where weights are clipped instead.
    fn at(&self) -> Option<At> {
        None
    }

    /// What one picture's gradient of length `norm` costs, and the derivative of that by the length.
    fn cost(&self, norm: f64) -> [f64; 2] {
        let _ = norm;
        [0.0; 2]
    }

    /// Steps of the discriminator from one penalty to the next, which then counts for all of them.
    fn every(&self) -> u64 {
        1
    }

    /// The largest absolute value that a weight may have after a step.
    fn bound(&self) -> Option<f64> {
        None
    }
}

/// Where input gradients are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// At real pictures.
    Real,
    /// At random points between a real picture and a generated one.
    Between,
}

crate::registry! {
    /// The recipe's `[gan.penalty]` table.
    pub enum PenaltyConfig: Penalty by penalty;
    /// The length of the input gradient is drawn to 1 between real and generated pictures (Gulrajani et al. 2017).
    GradientPenalty = "gradient-penalty",
    /// The squared length of the input gradient at real pictures (Mescheder et al. 2018).
    R1 = "r1",
    /// Weights are cut to an interval after each step (Arjovsky et al. 2017).
    WeightClipping = "weight-clipping",
}

/// The mean penalty over `points` `[batch, features]`, which are not tracked, and a scalar of which only the gradient by the
/// discriminator's weights means something: it is the penalty's.
///
/// The discriminator is tracked by autodiff, and `classes` are those of the points, `[batch, 1]`.
#[must_use]
pub fn penalize(
    discriminator: &Discriminator,
    penalty: &dyn Penalty,
    points: Tensor<2>,
    classes: Option<Tensor<2, Int>>,
) -> (f64, Tensor<1>) {
    let count = points.dims()[0];
    let leaf = Tensor::from_inner(points.clone()).require_grad();
    let scores = discriminator.clone().no_grad().forward(leaf.clone(), classes.clone(), &mut NoTap);
    let gradient = leaf.grad(&scores.sum().backward()).unwrap_or_else(|| points.zeros_like());
    let norms = gradient.clone().square().sum_dim(1).sqrt().into_data();
    let norms = norms.try_to_vec::<f32>().expect("networks here hold f32");
    let costs: Vec<[f64; 2]> = norms.iter().map(|norm| penalty.cost(f64::from(*norm))).collect();
    let value = costs.iter().map(|[cost, _]| cost).sum::<f64>() / count as f64;
    // A picture whose gradient is zero has no direction to change it in.
    let factor = |(cost, norm): (&[f64; 2], &f32)| {
        if *norm > 0.0 { (cost[1] / f64::from(*norm) / count as f64) as f32 } else { 0.0 }
    };
    let factors: Vec<f32> = costs.iter().zip(&norms).map(factor).collect();
    let factors = Tensor::<2>::from_data(TensorData::new(factors, [count, 1]), &points.device());
    let both = Tensor::from_inner(Tensor::cat(vec![points, gradient * factors], 0));
    let classes = classes.map(|classes| Tensor::cat(vec![classes.clone(), classes], 0));
    let scores = discriminator.forward(both, classes, &mut Tangent);
    (value, scores.narrow(0, count, count).sum())
}

/// Cuts every weight to `±bound`.
pub(crate) fn clip<M: Module>(network: M, bound: f64) -> M {
    network.map(&mut Clip(bound))
}

struct Clip(f64);

impl ModuleMapper for Clip {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Running statistics are no weights.
        if !param.is_require_grad() {
            return param;
        }
        param.map(|weight| {
            let tracked = weight.is_require_grad();
            Tensor::from_inner(weight.inner().clamp(-self.0, self.0)).set_require_grad(tracked)
        })
    }
}
