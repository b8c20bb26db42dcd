use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{
    Attribution, Baseline, Examples, ExplainError, Layers, Model,
    attribution::{Part, differences, over_baselines},
    chain::{Chain, Link, batches, host},
    op::Op,
};

/// Below this, a difference of inputs is none, and the derivative takes the place of the quotient.
const SMALL: f32 = 1e-6;

/// The difference of the score to that of a baseline, sent back by the rescale rule: an activation passes on
/// `Δoutput / Δinput` in the place of its derivative. The values add up to `f(x) − f(b)`.
///
/// A. Shrikumar, P. Greenside, A. Kundaje: Learning important features through propagating activation differences,
/// 2017. Captum's `DeepLift`, max-pooling included: the maximum's change is split at the larger of both maxima.
/// (Captum 0.9 takes the plain gradient instead where a pooling directly follows a ReLU; its values then miss the sum.)
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeepLift {
    /// What the input is compared with.
    pub baseline: Baseline,
}

impl Method for DeepLift {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        let layers = model.with_layers()?;
        let baselines = self.baseline.rows(on, rng)?;
        over_baselines(&baselines, on, |baseline| {
            let values = contributions(layers, on, baseline)?;
            Ok(Part { values, differences: differences(model, on, baseline) })
        })
    }
}

fn contributions(layers: Layers<'_>, on: &Examples<'_>, baseline: &[f32]) -> Result<Vec<f64>, ExplainError> {
    let mut values = Vec::with_capacity(on.inputs.len());
    for (inputs, targets) in batches(on) {
        let baseline = &baseline[values.len()..][..inputs.len()];
        let (at, reference) = (Chain::record(layers, inputs)?, Chain::record(layers, baseline)?);
        let multipliers =
            at.back(at.seed(targets), 0, |i, link, value| rescale(link, &reference.links[i], value));
        let ways = inputs.iter().zip(baseline).map(|(&input, &base)| f64::from(input) - f64::from(base));
        let multipliers = host(multipliers * layers.scale());
        values.extend(multipliers.into_iter().zip(ways).map(|(value, way)| f64::from(value) * way));
    }
    Ok(values)
}

/// From multipliers of a layer's output to multipliers of its input.
fn rescale(at: &Link, reference: &Link, value: Tensor<2>) -> Tensor<2> {
    let plain = at.pull_back(value.clone());
    let way = at.input.clone() - reference.input.clone();
    let change = |value: Tensor<2>| match &at.op {
        Op::Activation(_) => Some(value * (at.output.clone() - reference.output.clone())),
        Op::MaxPool2d(_) => {
            let larger = at.output.clone().max_pair(reference.output.clone());
            let here = at.pull_back(value.clone() * (larger.clone() - reference.output.clone()));
            Some(here + reference.pull_back(value * (at.output.clone() - larger)))
        }
        Op::Linear(_) | Op::Conv2d(_) | Op::BatchNorm(_) | Op::AvgPool2d(_) => None,
    };
    match change(value) {
        None => plain,
        Some(change) => {
            let small = way.clone().abs().lower_elem(SMALL);
            let quotient = change / way.mask_fill(small.clone(), 1.0);
            quotient.mask_where(small, plain)
        }
    }
}
