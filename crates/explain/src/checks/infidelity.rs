use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Baseline, Examples, ExplainError, Model,
    draws::normal,
    error::{at_least, positive},
    groups::Groups,
};

/// How inputs are changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Perturbation {
    /// Gaussian noise is taken away. Predicts the change as noise times value: for methods whose values are
    /// [sensitivities](crate::Meaning::Sensitivity).
    Noise {
        /// Its standard deviation, in the caller's units.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        sigma: f64,
    },
    /// Parts are replaced by the baseline, each with probability one half. Predicts the change as the sum of their
    /// values: for methods whose values are [contributions](crate::Meaning::Contribution).
    Parts {
        /// Height and width in pixels of the parts of a picture.
        #[schemars(range(min = 1))]
        square: usize,
        /// What stands for a missing part.
        baseline: Baseline,
    },
}

/// Settings of [`infidelity`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InfidelityConfig {
    /// Changes of each input.
    #[schemars(range(min = 1))]
    pub samples: usize,
    /// How inputs are changed.
    pub perturbation: Perturbation,
}

impl Default for InfidelityConfig {
    fn default() -> Self {
        let perturbation = Perturbation::Parts { square: 4, baseline: Baseline::Zero };
        Self { samples: 100, perturbation }
    }
}

/// How badly values predict what changes of the input do, one of each per example.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Infidelity {
    /// The mean square of (predicted − true change of the score). Zero is right.
    pub error: Vec<f64>,
    /// The same with the values of an example multiplied by the one number that makes it smallest: methods without a unit
    /// can be compared by it.
    pub scaled_error: Vec<f64>,
    /// The mean square of the true changes: what values of zero would get.
    pub change: Vec<f64>,
}

/// Writes a changed input of an example, and returns what the values predict.
type Change<'a> = Box<dyn FnMut(usize, &mut [f32]) -> f64 + 'a>;

/// Infidelity: `E[(Σ I Φ − (f(x) − f(x − I)))²]` over random changes `I` of the input, for values `Φ` `[n, features]`.
///
/// C.-K. Yeh et al.: On the (in)fidelity and sensitivity of explanations, 2019. Captum's `infidelity`, where the scaled
/// one is `normalize=True`.
///
/// # Errors
///
/// Where a setting is out of its range, or the baseline cannot be made.
pub fn infidelity(
    config: &InfidelityConfig,
    model: &Model<'_>,
    on: &Examples<'_>,
    values: &[f32],
    rng: &mut ChaCha8Rng,
) -> Result<Infidelity, ExplainError> {
    at_least("samples", config.samples, 1)?;
    assert_eq!(values.len(), on.inputs.len(), "a value for each feature");
    let features = on.features();
    let (samples, whole) = (config.samples, model.explained(on.inputs, on.targets));
    let mut predicted = vec![0.0; on.len() * samples];
    let mut change: Change<'_> = match &config.perturbation {
        Perturbation::Noise { sigma } => {
            let sigma = positive("sigma", *sigma).map(|()| *sigma)?;
            Box::new(move |example, row| {
                let values = &values[example * features..][..features];
                let pairs = row.iter_mut().zip(values).zip(on.input(example));
                let prediction = |((to, &value), &input): ((&mut f32, &f32), &f32)| {
                    *to = (f64::from(input) - sigma * normal(rng)) as f32;
                    // What was taken away in truth, after rounding.
                    (f64::from(input) - f64::from(*to)) * f64::from(value)
                };
                pairs.map(prediction).sum()
            })
        }
        Perturbation::Parts { square, baseline } => {
            at_least("square", *square, 1)?;
            let groups = Groups::new(on.shape, *square);
            let baselines = baseline.rows(on, rng)?;
            Box::new(move |example, row| {
                let kept: Vec<bool> = (0..groups.count).map(|_| rng.random()).collect();
                let baseline = &baselines[rng.random_range(0..baselines.len())][example * features..];
                groups.mix(&kept, on.input(example), baseline, row);
                let sums = groups.sum(&values[example * features..][..features]);
                sums.iter().zip(&kept).filter(|(_, kept)| !**kept).map(|(sum, _)| sum).sum()
            })
        }
    };
    let mut sums = vec![[0.0; 3]; on.len()];
    let point = |i: usize, row: &mut [f32]| {
        predicted[i] = change(i / samples, row);
        on.targets[i / samples]
    };
    let mut scores = vec![0.0; on.len() * samples];
    model.scores_at(scores.len(), point, |i, score| scores[i] = score);
    drop(change);
    for (i, (score, predicted)) in scores.iter().zip(&predicted).enumerate() {
        let truth = whole[i / samples] - score;
        let [pp, pt, tt] = &mut sums[i / samples];
        *pp += predicted * predicted / samples as f64;
        *pt += predicted * truth / samples as f64;
        *tt += truth * truth / samples as f64;
    }
    let mut found = Infidelity::default();
    for [pp, pt, tt] in sums {
        let best = if pp > 0.0 { pt * pt / pp } else { 0.0 };
        found.error.push((pp - 2.0 * pt + tt).max(0.0));
        found.scaled_error.push((tt - best).max(0.0));
        found.change.push(tt);
    }
    Ok(found)
}
