//! The sum over a batch of each example's gradient, clipped: the core of DP-SGD (Abadi et al. 2016, arXiv:1607.00133).
//!
//! One forward and one backward pass, which leave each layer's input and the gradient of its output, but no gradient of
//! a weight. From these come the norms of all examples' gradients, mostly without the gradients themselves, and with
//! the factors known the sum: ghost norms (Li et al. 2021, arXiv:2110.05679) and book-keeping (Bu et al. 2022,
//! arXiv:2210.00038), after Lee and Kifer (2020, arXiv:2009.03106).

mod adapter;
mod check;
mod convolution;
mod linear;
mod part;
mod tap;
mod tokens;

use std::collections::HashSet;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use crucible_models::{Tapped, Training};
use crucible_train::losses::Loss;

pub use check::check;

use crate::PrivacyError;
use part::Part;
use tap::{Call, PerExample};

/// From an example's gradient to what is added up. All norms are above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clipping {
    /// Scaled down to `norm` where it is longer: `min(1, norm / ‖g‖)`. Infinite for no clipping.
    Flat {
        /// The longest that a gradient stays.
        norm: f64,
    },
    /// Scaled to nearly `norm` whatever its length: `norm / (‖g‖ + 0.01)` (Bu et al. 2022, arXiv:2206.07136).
    Automatic {
        /// What no scaled gradient reaches.
        norm: f64,
    },
    /// The gradient of each layer's parameters for itself, flat to `norm / √layers`, so that all together are at most
    /// `norm` long (McMahan et al. 2018, arXiv:1710.06963).
    PerLayer {
        /// The longest that all layers' gradients together stay.
        norm: f64,
    },
}

/// What is added to a norm that is divided by.
const STABILITY: f64 = 0.01;

impl Clipping {
    /// The clipping norm: what one example can change the sum by, up to rounding.
    #[must_use]
    pub fn norm(self) -> f64 {
        match self {
            Self::Flat { norm } | Self::Automatic { norm } | Self::PerLayer { norm } => norm,
        }
    }

    /// By layer and example, from the squares of the norms.
    fn factors(self, squares: &[Vec<f64>], norms: &[f64]) -> Vec<Vec<f32>> {
        let flat = |clip: f64, norm: f64| if norm > clip { (clip / norm) as f32 } else { 1.0 };
        let all = |factor: &dyn Fn(f64) -> f32| {
            vec![norms.iter().map(|norm| factor(*norm)).collect(); squares.len()]
        };
        match self {
            Self::Flat { norm: clip } => all(&|norm| flat(clip, norm)),
            Self::Automatic { norm: clip } => all(&|norm| (clip / (norm + STABILITY)) as f32),
            Self::PerLayer { norm } => {
                let clip = norm / (squares.len() as f64).sqrt();
                let layer =
                    |squares: &Vec<f64>| squares.iter().map(|square| flat(clip, square.sqrt())).collect();
                squares.iter().map(layer).collect()
            }
        }
    }

    fn check(self) -> Result<(), PrivacyError> {
        let norm = self.norm();
        let fits = norm > 0.0 && (norm.is_finite() || !matches!(self, Self::Automatic { .. }));
        if fits { Ok(()) } else { Err(PrivacyError::Clip(norm)) }
    }
}

/// A batch's gradients, clipped and added up.
#[derive(Debug)]
pub struct ClippedSum {
    /// The sum for each parameter, to be divided by how many examples the caller counts.
    pub gradients: GradientsParams,
    /// The norm of each example's gradient before it was clipped, over all parameters.
    pub norms: Vec<f32>,
    /// The loss of each example.
    pub losses: Vec<f32>,
}

/// The sum over `inputs` `[n, features]` and `targets` `[n, outputs]` of the gradients of each example's own loss,
/// clipped; zeros where there are no examples. Layers whose parameters autodiff does not track have no part in it, in norms neither:
/// they are not trained. `network` and both are on a device with autodiff, as in training, and
/// `tap` draws the same masks of dropout as there. Penalties on weights are no example's, and not in it.
///
/// Beside what a step keeps it keeps the gradient of each layer's output, and of no layer more values by example than its
/// input and output have together.
///
/// # Errors
///
/// Where a layer has no support ([`check`] lists all), ran twice, or a gradient is not finite.
pub fn clipped_sum<M: Module + Tapped>(
    network: &M,
    inputs: Tensor<2>,
    targets: Tensor<2>,
    loss: &dyn Loss,
    clipping: Clipping,
    tap: &mut Training,
) -> Result<ClippedSum, PrivacyError> {
    check(network)?;
    clipping.check()?;
    let count = inputs.dims()[0];
    let mut gradients = GradientsParams::new();
    if count == 0 {
        network.visit(&mut Zeros(&mut gradients));
        return Ok(ClippedSum { gradients, norms: Vec::new(), losses: Vec::new() });
    }
    let device = inputs.device();
    // Untracked, its layers pass gradients on to their inputs alone.
    let frozen = network.clone().no_grad();
    let trained = Trained::of(network);
    let mut tap = PerExample::new(tap);
    let each = loss.each(frozen.forward(inputs, &mut tap), targets);
    let calls = tap.calls()?;
    let losses = values(each.clone());
    let mut arrived = each.sum().backward();
    let mut layers: Vec<Vec<Box<dyn Part>>> = Vec::new();
    for call in calls {
        if trained.takes(&call)? {
            layers.push((call.parts)(&mut arrived));
        }
    }
    drop(arrived);

    let add = |mut sum: Vec<f64>, squares: Vec<f64>| {
        sum.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square);
        sum
    };
    let layer =
        |parts: &Vec<Box<dyn Part>>| parts.iter().map(|part| part.squares()).fold(vec![0.0; count], add);
    let squares: Vec<Vec<f64>> = layers.iter().map(layer).collect();
    let norms = squares.iter().cloned().fold(vec![0.0; count], add);
    let norms: Vec<f64> = norms.into_iter().map(f64::sqrt).collect();
    if let Some(example) = norms.iter().position(|norm| !norm.is_finite()) {
        return Err(PrivacyError::NotFinite { example, norm: norms[example] });
    }
    for (parts, factors) in layers.into_iter().zip(clipping.factors(&squares, &norms)) {
        let factors = Tensor::from_data(TensorData::new(factors, [count]), &device.clone().inner());
        for part in parts {
            part.add_up(factors.clone(), &mut gradients);
        }
    }
    Ok(ClippedSum { gradients, norms: norms.into_iter().map(|norm| norm as f32).collect(), losses })
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("networks here compute in f32")
}

/// The parameters that are trained: those that autodiff tracks.
#[derive(Default)]
struct Trained(HashSet<ParamId>);

impl Trained {
    fn of(network: &impl Module) -> Self {
        let mut trained = Self::default();
        network.visit(&mut trained);
        trained
    }

    /// Whether a layer is trained, which all of its parameters are or none.
    fn takes(&self, call: &Call) -> Result<bool, PrivacyError> {
        match call.ids.iter().filter(|id| self.0.contains(id)).count() {
            0 => Ok(false),
            count if count == call.ids.len() => Ok(true),
            _ => Err(PrivacyError::Partly(call.name.clone())),
        }
    }
}

impl ModuleVisitor for Trained {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0.insert(param.id);
        }
    }
}

/// A gradient of zeros for each parameter that is trained.
struct Zeros<'a>(&'a mut GradientsParams);

impl ModuleVisitor for Zeros<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0.register(param.id, param.val().inner().zeros_like());
        }
    }
}

/// Registers the gradient of a parameter of any rank that layers here have.
fn register(gradients: &mut GradientsParams, id: ParamId, shape: &[usize], sum: Tensor<1>) {
    match *shape {
        [a] => gradients.register(id, sum.reshape([a])),
        [a, b] => gradients.register(id, sum.reshape([a, b])),
        [a, b, c, d] => gradients.register(id, sum.reshape([a, b, c, d])),
        _ => unreachable!("no layer here has a parameter of {} axes", shape.len()),
    }
}
