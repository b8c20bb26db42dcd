use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{Attribution, Examples, ExplainError, Model};

/// `|∂f/∂x|`, or with its sign.
///
/// K. Simonyan, A. Vedaldi, A. Zisserman: Deep inside convolutional networks, 2013. Captum's `Saliency`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Saliency {
    /// The size alone, without the sign.
    pub absolute: bool,
}

impl Default for Saliency {
    fn default() -> Self {
        Self { absolute: true }
    }
}

impl Method for Saliency {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        _: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        let mut values = gradients(model, on)?;
        if self.absolute {
            values.iter_mut().for_each(|value| *value = value.abs());
        }
        Ok(Attribution::of(values))
    }
}

/// The gradient of each example's score, `[n, features]`.
pub(super) fn gradients(model: &Model<'_>, on: &Examples<'_>) -> Result<Vec<f32>, ExplainError> {
    let mut values = Vec::with_capacity(on.inputs.len());
    let point = |i: usize, row: &mut [f32]| {
        row.copy_from_slice(on.input(i));
        on.targets[i]
    };
    model.gradients_at(on.len(), point, |_, _, gradient| values.extend_from_slice(gradient))?;
    Ok(values)
}
