use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Examples, ExplainError, MethodConfig, Model,
    error::{at_least, positive},
};

/// Settings of [`max_sensitivity`]. Captum's defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SensitivityConfig {
    /// How far each value is moved at most, in the caller's units.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub radius: f64,
    /// Neighbours of each input.
    #[schemars(range(min = 1))]
    pub samples: usize,
}

impl Default for SensitivityConfig {
    fn default() -> Self {
        Self { radius: 0.02, samples: 10 }
    }
}

/// Maximum sensitivity: by how much the values of each example change at most, relative to their length (Euclidean), among
/// neighbours drawn evenly from the cube of `radius` around the input, `[n]`. Zero where the values are zero and stay so,
/// infinite where only they are.
///
/// The neighbours may leave the range of valid inputs by `radius`. All runs of the method draw the same random numbers,
/// so that only the change of the input counts.
///
/// C.-K. Yeh et al.: On the (in)fidelity and sensitivity of explanations, 2019. Captum's `sensitivity_max`.
///
/// # Errors
///
/// Where a setting is out of its range, or the method fails.
pub fn max_sensitivity(
    config: &SensitivityConfig,
    method: &MethodConfig,
    model: &Model<'_>,
    on: &Examples<'_>,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<f64>, ExplainError> {
    positive("radius", config.radius)?;
    at_least("samples", config.samples, 1)?;
    let start = rng.clone();
    let original = method.attribute(model, on, &mut start.clone())?.values;
    let mut found = vec![0.0_f64; on.len()];
    for _ in 0..config.samples {
        let mut moved =
            |&input: &f32| (f64::from(input) + rng.random_range(-config.radius..=config.radius)) as f32;
        let inputs: Vec<f32> = on.inputs.iter().map(&mut moved).collect();
        let neighbours = Examples { inputs: &inputs, ..*on };
        let values = method.attribute(model, &neighbours, &mut start.clone())?.values;
        let rows = original.chunks_exact(on.features()).zip(values.chunks_exact(on.features()));
        for (worst, (original, moved)) in found.iter_mut().zip(rows) {
            let change = length(original.iter().zip(moved).map(|(a, b)| f64::from(*a) - f64::from(*b)));
            let size = length(original.iter().map(|&value| f64::from(value)));
            *worst = worst.max(if change == 0.0 { 0.0 } else { change / size });
        }
    }
    Ok(found)
}

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}
