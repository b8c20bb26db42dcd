use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Method, saliency::gradients};
use crate::{Attribution, Examples, ExplainError, Model};

/// `x · ∂f/∂x`.
///
/// A. Shrikumar et al.: Not just a black box, 2016. Captum's `InputXGradient`. The input is the caller's, before any
/// scaling to the network's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InputXGradient {}

impl Method for InputXGradient {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        _: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        let values = gradients(model, on)?;
        Ok(Attribution::of(values.iter().zip(on.inputs).map(|(gradient, input)| gradient * input).collect()))
    }
}
