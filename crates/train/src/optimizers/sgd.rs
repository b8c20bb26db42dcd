use std::sync::Arc;

use burn::optim::{
    DynOptimizer, LearningRate, RecordState, StateSink, StateSource, decay::WeightDecayConfig,
};
use burn::tensor::{Device, Tensor};
use crucible_kernels::axpby;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optimizer;

/// `v ← μ v + g`, `w ← w − η v`, where g includes `weight_decay · w`; Nesterov's form steps by `g + μ v`.
///
/// Polyak 1964; Sutskever et al. 2013 for the Nesterov form. Without momentum, `w ← w − η g`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// Learning rate η.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Momentum μ.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Nesterov's form of momentum.
    pub nesterov: bool,
    /// L2 regularization: this times the weights is added to the gradient.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { lr: 0.01, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

impl Optimizer for Sgd {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn matrices(&self) -> Arc<dyn DynOptimizer> {
        Arc::new(Rule(self.clone()))
    }

    fn states(&self) -> u64 {
        u64::from(self.momentum > 0.0)
    }
}

/// The rule in place: Burn's allocates a tensor for each term, which is a third of the step of a small network.
#[derive(Clone)]
struct Rule(Sgd);

/// What the rule remembers of each parameter.
#[derive(Clone)]
struct Velocity<const D: usize> {
    velocity: Tensor<D>,
}

// By hand, because Burn's derive works only inside Burn.
impl<const D: usize> RecordState for Velocity<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "velocity", self.velocity.to_data());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let velocity = src.take_tensor(prefix, "velocity").filter(|data| data.shape().len() == D)?;
        Some(Self { velocity: Tensor::from_data(velocity, device) })
    }
}

impl burn::optim::Optimizer for Rule {
    type State<const D: usize> = Velocity<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Velocity<D>>,
    ) -> (Tensor<D>, Option<Velocity<D>>) {
        let Sgd { momentum, nesterov, weight_decay, .. } = self.0;
        let gradient = match weight_decay > 0.0 {
            true => axpby(1.0, gradient, weight_decay, weights.clone()),
            false => gradient,
        };
        if momentum == 0.0 {
            return (axpby(1.0, weights, -lr, gradient), None);
        }
        let velocity = match state {
            Some(Velocity { velocity }) => axpby(momentum, velocity, 1.0, gradient.clone()),
            None => gradient.clone(),
        };
        let weights = match nesterov {
            true => axpby(1.0, axpby(1.0, weights, -lr, gradient), -lr * momentum, velocity.clone()),
            false => axpby(1.0, weights, -lr, velocity.clone()),
        };
        (weights, Some(Velocity { velocity }))
    }

    fn to_device<const D: usize>(state: Velocity<D>, device: &Device) -> Velocity<D> {
        Velocity { velocity: state.velocity.to_device(device) }
    }
}

/// Burn's L2 term, or none.
pub(super) fn weight_decay(penalty: f64) -> Option<WeightDecayConfig> {
    (penalty > 0.0).then(|| WeightDecayConfig::new(penalty as f32))
}
