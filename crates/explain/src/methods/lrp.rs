use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{
    Attribution, Examples, ExplainError, Model,
    chain::{Link, by_batch},
    error::{not_negative, positive},
    op::Op,
};

/// How a layer divides the relevance of an output `z = Σ a w + b` among its inputs `a`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LrpRule {
    /// In proportion to `a w`.
    #[default]
    Epsilon,
    /// In proportion to `a (w + γ w⁺)`, where `w⁺` is the positive part: contradictions count less.
    Gamma,
    /// In proportion to `a w⁺`: no contradictions.
    ZPlus,
}

/// Layer-wise relevance propagation: the score, divided among the inputs of the last layer, of the one before and so
/// on. Activations pass relevance on as it is; pooling and batch normalization follow the ε-rule always.
///
/// S. Bach et al.: On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation,
/// 2015; γ: G. Montavon et al.: Layer-wise relevance propagation, an overview, 2019. Captum's `LRP` with its
/// `EpsilonRule`, `GammaRule` and `Alpha1_Beta0_Rule`; their `set_bias_to_zero` is the opposite of `bias` here. In the
/// overview γ changes the bias too, in Captum and here it does not. The relevance of a scaled input is the input's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lrp {
    /// How relevance is divided.
    pub rule: LrpRule,
    /// What is added to each `z`, away from zero: larger values leave out weak and contradictory relevance.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub epsilon: f64,
    /// How much more positive weights count under the rule `gamma`.
    #[schemars(range(min = 0.0))]
    pub gamma: f64,
    /// The bias takes its share of the relevance. Otherwise all of it reaches the inputs.
    pub bias: bool,
}

impl Default for Lrp {
    fn default() -> Self {
        Self { rule: LrpRule::Epsilon, epsilon: 1e-9, gamma: 0.25, bias: true }
    }
}

impl Method for Lrp {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        _: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        positive("epsilon", self.epsilon)?;
        not_negative("gamma", self.gamma)?;
        by_batch(model.with_layers()?, on, |chain, targets| {
            let relevance = chain.seed(targets) * chain.output();
            chain.back(relevance, 0, |_, link, relevance| self.divide(link, relevance))
        })
    }
}

impl Lrp {
    /// From the relevance of a layer's outputs to that of its inputs.
    fn divide(&self, link: &Link, relevance: Tensor<2>) -> Tensor<2> {
        if matches!(link.op, Op::Activation(_)) {
            return relevance;
        }
        let gamma = self.gamma as f32;
        let weight = |w: f32| match self.rule {
            LrpRule::Epsilon => w,
            LrpRule::Gamma => w + gamma * w.max(0.0),
            LrpRule::ZPlus => w.max(0.0),
        };
        let op = link.op.map_weights(weight, |b| if self.bias { b } else { 0.0 });
        let z = op.forward(link.input.clone(), &link.dims);
        let sign = z.clone().greater_equal_elem(0.0).float() * (2.0 * self.epsilon) - self.epsilon;
        link.input.clone() * op.pull_back(&link.input, &link.dims, relevance / (z + sign))
    }
}
