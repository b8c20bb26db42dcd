use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Examples, ExplainError,
    error::{at_least, positive},
};

/// The input that stands for "nothing there".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Baseline {
    /// Zero everywhere, in the caller's units: black for most pictures.
    #[default]
    Zero,
    /// The mean of the background examples.
    Mean,
    /// The picture itself, blurred by a Gaussian. Sturmfels et al.: Visualizing the impact of feature attribution
    /// baselines, 2020.
    Blurred {
        /// Standard deviation in pixels.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        sigma: f64,
    },
    /// Background examples drawn at random; the attributions are averaged over them.
    Random {
        /// How many.
        #[schemars(range(min = 1))]
        draws: usize,
    },
}

impl Baseline {
    /// One baseline `[n, features]` for all examples, or several that a method averages over.
    ///
    /// # Errors
    ///
    /// Where it needs background examples or pictures and has none.
    pub fn rows(&self, on: &Examples<'_>, rng: &mut ChaCha8Rng) -> Result<Vec<Vec<f32>>, ExplainError> {
        let features = on.features();
        let needs_background = |what| match on.background {
            [] => Err(ExplainError::NoBackground { what }),
            background => Ok(background.len() / features),
        };
        match *self {
            Self::Zero => Ok(vec![vec![0.0; on.inputs.len()]]),
            Self::Mean => {
                needs_background("the baseline `mean`")?;
                Ok(vec![mean(on.background, features).repeat(on.len())])
            }
            Self::Blurred { sigma } => {
                positive("sigma", sigma)?;
                let what = "the baseline `blurred`";
                let size = on.picture().ok_or(ExplainError::NoPicture { what, features })?;
                Ok(vec![blurred(on.inputs, size, sigma)])
            }
            Self::Random { draws } => {
                at_least("draws", draws, 1)?;
                let count = needs_background("the baseline `random`")?;
                let mut row = || &on.background[rng.random_range(0..count) * features..][..features];
                let mut baseline = || (0..on.len()).flat_map(|_| row().to_vec()).collect();
                Ok((0..draws).map(|_| baseline()).collect())
            }
        }
    }
}

fn mean(rows: &[f32], features: usize) -> Vec<f32> {
    let mut sums = vec![0.0; features];
    for row in rows.chunks_exact(features) {
        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let count = (rows.len() / features) as f64;
    sums.iter().map(|sum| (sum / count) as f32).collect()
}

/// Pictures `[n, channels, height, width]` under a Gaussian of `sigma` pixels, cut at three sigmas; at the edge, the
/// weights that are left are scaled to a sum of one.
fn blurred(pictures: &[f32], [_, height, width]: [usize; 3], sigma: f64) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as usize;
    let weight = |distance: usize| (-0.5 * (distance as f64 / sigma).powi(2)).exp();
    let along = |values: &[f32], length: usize, stride: usize| -> Vec<f32> {
        let at = |i: usize| {
            let place = i / stride % length;
            let (mut sum, mut total) = (0.0, 0.0);
            for other in place.saturating_sub(radius)..length.min(place + radius + 1) {
                let weight = weight(other.abs_diff(place));
                sum += weight * f64::from(values[i + other * stride - place * stride]);
                total += weight;
            }
            (sum / total) as f32
        };
        (0..values.len()).map(at).collect()
    };
    along(&along(pictures, width, 1), height, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crucible_models::InputShape;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn blurring_keeps_constants_and_spreads_a_point_evenly() {
        let size = [1, 5, 7];
        blurred(&[0.5; 35], size, 1.3).iter().for_each(|v| assert!((v - 0.5).abs() < 1e-6));
        let mut point = vec![0.0; 35];
        point[2 * 7 + 3] = 1.0;
        let spread = blurred(&point, size, 0.5);
        assert_eq!(spread[2 * 7 + 2], spread[2 * 7 + 4]);
        assert!((spread[7 + 3] - spread[3 * 7 + 3]).abs() < 1e-7 && spread[2 * 7 + 3] > 0.5);
        assert!((spread.iter().sum::<f32>() - 1.0).abs() < 0.01);
    }

    #[test]
    fn what_is_made_of_examples_needs_them() {
        let mut on = Examples {
            inputs: &[1.0, 2.0],
            targets: &[0],
            shape: InputShape::Features { count: 2 },
            background: &[],
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let error = Baseline::Mean.rows(&on, &mut rng).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the baseline `mean` is made of background examples, and there are none"
        );
        assert!(Baseline::Random { draws: 1 }.rows(&on, &mut rng).is_err());
        assert!(Baseline::Blurred { sigma: 1.0 }.rows(&on, &mut rng).is_err());
        on.background = &[0.0, 4.0, 1.0, 8.0];
        assert_eq!(Baseline::Mean.rows(&on, &mut rng).unwrap(), [[0.5, 6.0]]);
        assert_eq!(Baseline::Random { draws: 3 }.rows(&on, &mut rng).unwrap().len(), 3);
    }
}
