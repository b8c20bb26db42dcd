use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Method, integrated_gradients::between};
use crate::{Attribution, Examples, ExplainError, Model, attribution::complete, error::at_least};

/// Integrated gradients in expectation over background examples as baselines and places on the way, both drawn at
/// random. The values add up to `f(x)` minus the mean score of the background, but for the error of sampling.
///
/// G. Erion et al.: Improving performance of deep learning models with axiomatic attribution priors and expected
/// gradients, 2021. SHAP's `GradientExplainer`, whose number of samples is the default here; Captum's `GradientShap`
/// draws 5 by default, and can add noise to the input, which is left out here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedGradients {
    /// Draws for each input.
    #[schemars(range(min = 1))]
    pub samples: usize,
}

impl Default for ExpectedGradients {
    fn default() -> Self {
        Self { samples: 200 }
    }
}

/// One draw: which background example, and how far from it to the input, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// The background example's number.
    pub baseline: usize,
    /// The part of the way.
    pub alpha: f64,
}

impl Method for ExpectedGradients {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        at_least("samples", self.samples, 1)?;
        let count = count(on)?;
        let mut draw = || Draw { baseline: rng.random_range(0..count), alpha: rng.random() };
        let draws: Vec<Draw> = (0..on.len() * self.samples).map(|_| draw()).collect();
        self.attribute_with(model, on, &draws)
    }
}

impl ExpectedGradients {
    /// The same with the draws given, `[n, samples]`.
    ///
    /// # Errors
    ///
    /// Where the model has no gradients, or there are no background examples.
    ///
    /// # Panics
    ///
    /// If `draws` is of another length, or a draw names a background example that does not exist.
    pub fn attribute_with(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        draws: &[Draw],
    ) -> Result<Attribution, ExplainError> {
        assert_eq!(draws.len(), on.len() * self.samples, "draws for each sample");
        count(on)?;
        let (features, samples) = (on.features(), self.samples);
        let baseline = |draw: &Draw| &on.background[draw.baseline * features..][..features];
        let mut values = vec![0.0; on.inputs.len()];
        let point = |i: usize, row: &mut [f32]| {
            between(baseline(&draws[i]), on.input(i / samples), draws[i].alpha, row);
            on.targets[i / samples]
        };
        model.gradients_at(draws.len(), point, |i, _, gradient| {
            let example = i / samples;
            let way = on.input(example).iter().zip(baseline(&draws[i]));
            let sums = values[example * features..].iter_mut();
            for ((sum, &gradient), (&input, &base)) in sums.zip(gradient).zip(way) {
                *sum += f64::from(gradient) * (f64::from(input) - f64::from(base)) / samples as f64;
            }
        })?;
        let means = model.means(on.background);
        let scores = model.explained(on.inputs, on.targets);
        let differences: Vec<f64> =
            scores.iter().zip(on.targets).map(|(score, &target)| score - means[target]).collect();
        Ok(complete(&values, &differences, features))
    }
}

/// Background examples.
fn count(on: &Examples<'_>) -> Result<usize, ExplainError> {
    match on.background {
        [] => Err(ExplainError::NoBackground { what: "`expected-gradients`" }),
        background => Ok(background.len() / on.features()),
    }
}
