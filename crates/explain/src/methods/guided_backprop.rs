use burn::tensor::activation::relu;
use crucible_models::Activation;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{Attribution, Examples, ExplainError, Model, chain::by_batch, op::Op};

/// The gradient, where each ReLU sends back only what is positive. Other activations send back their derivative: in a
/// network without ReLU this is the plain gradient.
///
/// J. Springenberg et al.: Striving for simplicity, 2014. Captum's `GuidedBackprop`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GuidedBackprop {}

impl Method for GuidedBackprop {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        _: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        let layers = model.with_layers()?;
        by_batch(layers, on, |chain, targets| {
            let gradient = chain.back(chain.seed(targets), 0, |_, link, gradient| {
                let back = link.pull_back(gradient);
                if matches!(link.op, Op::Activation(Activation::Relu)) { relu(back) } else { back }
            });
            gradient * layers.scale()
        })
    }
}
