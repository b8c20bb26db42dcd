use burn::tensor::Tensor;
use crucible_models::{Network, Tapped};
use crucible_train::Batch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, Scene};
use crate::{
    Norm, RobustError, Threat,
    certify::{boxes, interval_bounds, worst_logits},
};

/// `κ` times the plain loss, and `1 − κ` times the loss at the worst logits that interval bounds allow anywhere in the
/// ball, which certifies what it trains. κ falls from 1 while ε grows.
///
/// S. Gowal et al.: On the effectiveness of interval bound propagation for training verifiably robust models, 2018,
/// section 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Interval {
    /// The radius ε of the L∞ ball; for pictures in units where 0 is black and 1 white.
    #[schemars(range(min = 0.0))]
    pub eps: f32,
    /// The share of the plain loss at the end, κ.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub kappa: f64,
    /// The share of training over which ε grows from 0 and κ falls from 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub ramp: f64,
}

impl Default for Interval {
    fn default() -> Self {
        Self { eps: 0.3, kappa: 0.5, ramp: 0.5 }
    }
}

/// The share of the radius `eps` that `threat` has grown to.
pub(super) fn grown(threat: &Threat, eps: f32) -> f64 {
    if eps > 0.0 { f64::from(threat.eps() / eps) } else { 1.0 }
}

impl Rule for Interval {
    fn ball(&self) -> (Norm, f32) {
        (Norm::Linf, self.eps)
    }

    fn ramp(&self) -> f64 {
        self.ramp
    }

    /// An output for each class, and no layer that passes no interval on.
    fn check(&self, network: &Network, outputs: usize, input: Tensor<2>) -> Result<(), RobustError> {
        if outputs < 2 {
            return Err(RobustError::OneOutput);
        }
        interval_bounds(network, input.clone(), input)?;
        Ok(())
    }

    fn loss(&self, threat: &Threat, scene: Scene<'_>, batch: Batch<'_>) -> Tensor<1> {
        let grown = grown(threat, self.eps);
        let kappa = 1.0 - (1.0 - self.kappa) * grown;
        let plain = batch.loss.forward(batch.network.forward(batch.inputs, batch.tap), batch.targets.clone());
        let ends = boxes(&scene.clean, threat, scene.scaling, scene.device).map(Tensor::from_inner);
        let worst = worst_logits(batch.network, ends, &scene.labels);
        let worst = worst.expect("the network was checked before training");
        plain * kappa + batch.loss.forward(worst, batch.targets) * (1.0 - kappa)
    }
}
