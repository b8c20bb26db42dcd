use crucible_measure::Cholesky;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{
    Attribution, Baseline, Examples, ExplainError, Model,
    error::{at_least, positive},
    groups::Groups,
};

/// The coefficients of a linear model of the score by which parts of the input are there: weighted ridge regression over
/// random choices of parts, with an intercept that is not penalized. A part that is missing has the baseline's values.
///
/// A choice of `k` of `m` parts counts `exp(−d² / (2 width²))` with the cosine distance `d = 1 − √(k / m)` to the whole.
/// Parts are squares of a picture, tokens of a sequence, values of a table row; all values of a part get its coefficient.
///
/// M. Ribeiro, S. Singh, C. Guestrin: "Why should I trust you?", 2016. Captum's `Lime` with a ridge model and this
/// distance; by default its distance is between inputs, its model a lasso with α = 0.01, and it takes 50 samples.
/// Ribeiro's package cuts pictures into segments of one colour and explains probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lime {
    /// Choices of parts.
    #[schemars(range(min = 2))]
    pub samples: usize,
    /// Height and width in pixels of a picture's squares.
    #[schemars(range(min = 1))]
    pub square: usize,
    /// Width of the kernel.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub kernel_width: f64,
    /// Penalty on the squares of the coefficients.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub ridge: f64,
    /// What stands for a missing part.
    pub baseline: Baseline,
}

impl Default for Lime {
    fn default() -> Self {
        Self { samples: 1000, square: 4, kernel_width: 0.25, ridge: 1.0, baseline: Baseline::Zero }
    }
}

impl Method for Lime {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        at_least("samples", self.samples, 2)?;
        at_least("square", self.square, 1)?;
        let baselines = self.baseline.rows(on, rng)?;
        let groups = Groups::new(on.shape, self.square);
        // The first sample is the whole input, as in the authors' package.
        let mut draw = |sample: usize| (0..groups.count).map(|_| sample == 0 || rng.random()).collect();
        let kept: Vec<Vec<bool>> = (0..self.samples).map(&mut draw).collect();
        let mut values = vec![0.0; on.inputs.len()];
        for baseline in &baselines {
            let found = self.fit(model, on, &groups, &kept, baseline)?;
            values.iter_mut().zip(found).for_each(|(sum, value)| *sum += value / baselines.len() as f64);
        }
        Ok(Attribution::of(values.into_iter().map(|value| value as f32).collect()))
    }
}

impl Lime {
    /// The same with the choices given: which parts are kept, `[samples, parts]`, for a single baseline.
    ///
    /// # Errors
    ///
    /// Where a setting is out of its range.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit.
    pub fn attribute_with(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        kept: &[bool],
        baseline: &[f32],
    ) -> Result<Attribution, ExplainError> {
        let groups = Groups::new(on.shape, self.square);
        let kept: Vec<Vec<bool>> = kept.chunks_exact(groups.count).map(<[bool]>::to_vec).collect();
        let values = self.fit(model, on, &groups, &kept, baseline)?;
        Ok(Attribution::of(values.into_iter().map(|value| value as f32).collect()))
    }

    fn fit(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        groups: &Groups,
        kept: &[Vec<bool>],
        baseline: &[f32],
    ) -> Result<Vec<f64>, ExplainError> {
        positive("kernel_width", self.kernel_width)?;
        positive("ridge", self.ridge)?;
        let regression = Regression::new(kept, self.kernel_width, self.ridge);
        let (features, samples) = (on.features(), kept.len());
        let mut scores = vec![0.0; on.len() * samples];
        let point = |i: usize, row: &mut [f32]| {
            let example = i / samples;
            groups.mix(&kept[i % samples], on.input(example), &baseline[example * features..], row);
            on.targets[example]
        };
        model.scores_at(scores.len(), point, |i, score| scores[i] = score);
        let coefficients = scores.chunks_exact(samples).map(|scores| regression.fit(scores));
        Ok(coefficients.flat_map(|values| groups.spread(&values).collect::<Vec<_>>()).collect())
    }
}

/// Ridge regression on the same choices with the same weights, for any scores.
struct Regression<'a> {
    kept: &'a [Vec<bool>],
    weights: Vec<f64>,
    means: Vec<f64>,
    factor: Cholesky,
}

impl<'a> Regression<'a> {
    fn new(kept: &'a [Vec<bool>], width: f64, ridge: f64) -> Self {
        let parts = kept.first().map_or(0, Vec::len);
        let weight = |kept: &Vec<bool>| {
            let share = kept.iter().filter(|&&kept| kept).count() as f64 / parts as f64;
            (-(1.0 - share.sqrt()).powi(2) / (2.0 * width * width)).exp()
        };
        let weights: Vec<f64> = kept.iter().map(weight).collect();
        let total: f64 = weights.iter().sum();
        let mut means = vec![0.0; parts];
        for (kept, weight) in kept.iter().zip(&weights) {
            means.iter_mut().zip(kept).filter(|(_, kept)| **kept).for_each(|(m, _)| *m += weight / total);
        }
        let mut matrix = vec![0.0; parts * parts];
        for (kept, weight) in kept.iter().zip(&weights) {
            let row: Vec<f64> = centred(kept, &means).collect();
            for (i, a) in row.iter().enumerate() {
                for (j, b) in row.iter().enumerate() {
                    matrix[i * parts + j] += weight * a * b;
                }
            }
        }
        (0..parts).for_each(|i| matrix[i * parts + i] += ridge);
        let factor = Cholesky::new(matrix, parts).expect("a sum of squares plus a positive diagonal");
        Self { kept, weights, means, factor }
    }

    /// A coefficient for each part.
    fn fit(&self, scores: &[f64]) -> Vec<f64> {
        let total: f64 = self.weights.iter().sum();
        let mean =
            scores.iter().zip(&self.weights).map(|(score, weight)| score * weight).sum::<f64>() / total;
        let mut right = vec![0.0; self.means.len()];
        for ((kept, weight), score) in self.kept.iter().zip(&self.weights).zip(scores) {
            let sums = right.iter_mut().zip(centred(kept, &self.means));
            sums.for_each(|(sum, value)| *sum += weight * value * (score - mean));
        }
        self.factor.solve(&right)
    }
}

fn centred<'a>(kept: &'a [bool], means: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    kept.iter().zip(means).map(|(&kept, mean)| f64::from(u8::from(kept)) - mean)
}
