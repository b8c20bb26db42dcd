use burn::tensor::Tensor;
use crucible_models::{Network, Tapped};
use crucible_train::Batch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, Scene, interval::grown};
use crate::{
    Norm, RobustError, Threat,
    certify::{Worst, boxes, worst_by_lines, worst_logits},
};

/// `κ` times the plain loss, and `1 − κ` times the loss at the worst logits: `β` times those that linear bounds allow
/// anywhere in the ball, and `1 − β` times those that interval bounds allow. While ε grows, κ and β fall from 1: linear
/// bounds are tight where interval bounds still say nothing, and make a network that interval bounds suit. A step with
/// linear bounds takes some eight times as long as one with interval bounds alone.
///
/// H. Zhang et al.: Towards stable and efficient training of verifiably robust neural networks, 2020, section 3.2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CrownIbp {
    /// The radius ε of the L∞ ball; for pictures in units where 0 is black and 1 white.
    #[schemars(range(min = 0.0))]
    pub eps: f32,
    /// The share of the plain loss at the end, κ.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub kappa: f64,
    /// The share of linear bounds at the end, β; at 0 no steps after the ramp compute any.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub beta: f64,
    /// The share of training over which ε grows from 0, and κ and β fall from 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub ramp: f64,
}

impl Default for CrownIbp {
    fn default() -> Self {
        Self { eps: 0.3, kappa: 0.5, beta: 0.0, ramp: 0.5 }
    }
}

impl Rule for CrownIbp {
    fn ball(&self) -> (Norm, f32) {
        (Norm::Linf, self.eps)
    }

    fn ramp(&self) -> f64 {
        self.ramp
    }

    /// An output for each class, and layers one after another that pass bounds on.
    fn check(&self, network: &Network, _: usize, input: Tensor<2>) -> Result<(), RobustError> {
        worst_by_lines(network, [input.clone(), input], &[0])?;
        Ok(())
    }

    fn loss(&self, threat: &Threat, scene: Scene<'_>, batch: Batch<'_>) -> Tensor<1> {
        let grown = grown(threat, self.eps);
        let [kappa, beta] = [self.kappa, self.beta].map(|end| 1.0 - (1.0 - end) * grown);
        let plain = batch.loss.forward(batch.network.forward(batch.inputs, batch.tap), batch.targets.clone());
        let ends = boxes(&scene.clean, threat, scene.scaling, scene.device).map(Tensor::from_inner);
        let worst = if beta > 0.0 {
            let both = worst_by_lines(batch.network, ends, &scene.labels);
            both.map(|Worst { interval, linear }| linear * beta + interval * (1.0 - beta))
        } else {
            worst_logits(batch.network, ends, &scene.labels)
        };
        let worst = worst.expect("the network was checked before training");
        plain * kappa + batch.loss.forward(worst, batch.targets) * (1.0 - kappa)
    }
}
