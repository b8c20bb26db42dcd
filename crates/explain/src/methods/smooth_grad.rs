use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{
    Attribution, Examples, ExplainError, Model,
    draws::normal,
    error::{at_least, not_negative},
};

/// What is made of the gradients at the noisy copies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Smoothing {
    /// Their mean (Smilkov et al. 2017).
    #[default]
    Mean,
    /// The mean of their squares (Hooker et al. 2019).
    Squared,
    /// Their variance (Adebayo et al. 2018), divided by the number of samples.
    Variance,
}

/// The gradient averaged over copies of the input with Gaussian noise.
///
/// D. Smilkov et al.: SmoothGrad, 2017. Captum's `NoiseTunnel` over `Saliency(abs=False)`; there the noise is given in the
/// input's unit, here as in the paper as a part of the range of each input's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SmoothGrad {
    /// Noisy copies of each input.
    #[schemars(range(min = 1))]
    pub samples: usize,
    /// Standard deviation of the noise, as a part of the input's largest value minus its smallest.
    #[schemars(range(min = 0.0))]
    pub noise: f64,
    /// What is made of the gradients.
    pub smoothing: Smoothing,
    /// The size of each gradient alone, without its sign, as `NoiseTunnel` over Captum's `Saliency` by default.
    pub absolute: bool,
}

impl Default for SmoothGrad {
    fn default() -> Self {
        Self { samples: 50, noise: 0.15, smoothing: Smoothing::Mean, absolute: false }
    }
}

impl Method for SmoothGrad {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        not_negative("noise", self.noise)?;
        self.smooth(model, on, &mut |i, row| {
            let (low, high) = range(on.input(i));
            let sigma = self.noise * f64::from(high - low);
            row.iter_mut().for_each(|value| *value += (sigma * normal(rng)) as f32);
        })
    }
}

impl SmoothGrad {
    /// The same with the noise given: `[n, samples, features]`, in the input's unit.
    ///
    /// # Errors
    ///
    /// Where the model has no gradients.
    ///
    /// # Panics
    ///
    /// If `noise` is of another length.
    pub fn attribute_with(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        noise: &[f32],
    ) -> Result<Attribution, ExplainError> {
        assert_eq!(noise.len(), on.inputs.len() * self.samples, "noise for each sample");
        let mut rows = noise.chunks_exact(on.features());
        self.smooth(model, on, &mut |_, row| {
            let noise = rows.next().into_iter().flatten();
            row.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
        })
    }

    /// `disturb` gets an example's number and a copy of it, for one example after another.
    fn smooth(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        disturb: &mut dyn FnMut(usize, &mut [f32]),
    ) -> Result<Attribution, ExplainError> {
        at_least("samples", self.samples, 1)?;
        let (samples, features) = (self.samples, on.features());
        let mut moments = vec![(0.0_f64, 0.0_f64); on.inputs.len()];
        let point = |i: usize, row: &mut [f32]| {
            row.copy_from_slice(on.input(i / samples));
            disturb(i / samples, row);
            on.targets[i / samples]
        };
        model.gradients_at(on.len() * samples, point, |i, _, gradient| {
            let row = &mut moments[i / samples * features..][..features];
            for ((sum, squares), &value) in row.iter_mut().zip(gradient) {
                let value = f64::from(if self.absolute { value.abs() } else { value });
                *sum += value / samples as f64;
                *squares += value * value / samples as f64;
            }
        })?;
        let value = |&(mean, squares): &(f64, f64)| match self.smoothing {
            Smoothing::Mean => mean,
            Smoothing::Squared => squares,
            Smoothing::Variance => (squares - mean * mean).max(0.0),
        };
        Ok(Attribution::of(moments.iter().map(|moments| value(moments) as f32).collect()))
    }
}

fn range(input: &[f32]) -> (f32, f32) {
    input.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
}
