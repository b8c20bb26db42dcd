use crucible_models::InputShape;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{Attribution, Examples, ExplainError, Model, error::at_least};

/// What the score loses where a window over the picture is filled with one value: the mean over the windows that cover a
/// pixel, the same for all its channels. Of a table row, each value is covered alone; of a sequence, each token.
///
/// M. Zeiler, R. Fergus: Visualizing and understanding convolutional networks, 2014. Captum's `Occlusion` with windows
/// over all channels; the last window of a row is cut at the edge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Occlusion {
    /// Height and width of the window in pixels.
    #[schemars(range(min = 1))]
    pub window: usize,
    /// Pixels from one window to the next, at most the window's size.
    #[schemars(range(min = 1))]
    pub stride: usize,
    /// What the window is filled with, in the caller's units.
    pub value: f32,
}

impl Default for Occlusion {
    fn default() -> Self {
        Self { window: 4, stride: 2, value: 0.0 }
    }
}

impl Method for Occlusion {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        _: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        at_least("window", self.window, 1)?;
        if self.stride == 0 || self.stride > self.window {
            let value = self.stride.to_string();
            return Err(ExplainError::Setting {
                key: "stride",
                value,
                allowed: "from 1 to the window's size",
            });
        }
        let windows = self.windows(on.shape);
        let whole = model.explained(on.inputs, on.targets);
        let mut values = vec![0.0_f64; on.inputs.len()];
        let mut counts = vec![0.0_f64; on.features()];
        windows.iter().flatten().for_each(|&i| counts[i] += 1.0);
        let point = |i: usize, row: &mut [f32]| {
            let example = i / windows.len();
            row.copy_from_slice(on.input(example));
            windows[i % windows.len()].iter().for_each(|&i| row[i] = self.value);
            on.targets[example]
        };
        model.scores_at(on.len() * windows.len(), point, |i, score| {
            let example = i / windows.len();
            for &feature in &windows[i % windows.len()] {
                values[example * on.features() + feature] += (whole[example] - score) / counts[feature];
            }
        });
        Ok(Attribution::of(values.into_iter().map(|value| value as f32).collect()))
    }
}

impl Occlusion {
    /// The features under each window.
    fn windows(&self, shape: InputShape) -> Vec<Vec<usize>> {
        match shape {
            InputShape::Features { count } | InputShape::Tokens { length: count, .. } => {
                (0..count).map(|i| vec![i]).collect()
            }
            InputShape::Sequence { length, width } => {
                (0..length).map(|token| (token * width..(token + 1) * width).collect()).collect()
            }
            InputShape::Image { channels, height, width } => {
                let starts = |size: usize| {
                    let steps = size.saturating_sub(self.window).div_ceil(self.stride);
                    (0..=steps).map(|step| step * self.stride)
                };
                let window = |top: usize, left: usize| {
                    let rows = top..(top + self.window).min(height);
                    let columns = left..(left + self.window).min(width);
                    let pixels = rows.flat_map(|y| columns.clone().map(move |x| y * width + x));
                    pixels.flat_map(|pixel| (0..channels).map(move |c| c * height * width + pixel)).collect()
                };
                starts(height).flat_map(|top| starts(width).map(move |left| window(top, left))).collect()
            }
        }
    }
}
