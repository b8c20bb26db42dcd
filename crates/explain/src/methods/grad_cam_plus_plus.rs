use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Method,
    grad_cam::{Place, finish},
};
use crate::{Attribution, Examples, ExplainError, Model};

/// Grad-CAM whose weight of a map is `Σ α g⁺` over its places, `α = g² / (2 g² + g³ Σ A)`, where `g` is the gradient of the
/// score by the map `A`: several objects of one class count each.
///
/// A. Chattopadhyay et al.: Grad-CAM++, 2018. The paper differentiates `exp` of the score, which multiplies all weights
/// of an example by one positive number; it is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GradCamPlusPlus {
    /// The convolution's name; without one, the last.
    pub layer: Option<String>,
    /// Its maps before the activation that follows it.
    pub before_activation: bool,
    /// Keep only what speaks for the class.
    pub relu: bool,
}

impl Default for GradCamPlusPlus {
    fn default() -> Self {
        Self { layer: None, before_activation: false, relu: true }
    }
}

impl Method for GradCamPlusPlus {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        _: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        let method = "`grad-cam-plus-plus`";
        let place = Place { method, layer: self.layer.as_deref(), before: self.before_activation };
        place.attribute(model, on, |maps, gradients| {
            let square = gradients.clone().square();
            let below = square.clone() * 2.0 + square.clone() * gradients.clone() * maps.clone().sum_dim(2);
            let none = below.clone().equal_elem(0.0);
            let alpha = (square / below.mask_fill(none.clone(), 1.0)).mask_fill(none, 0.0);
            let weights = (alpha * gradients.clamp_min(0.0)).sum_dim(2);
            finish((maps * weights).sum_dim(1).squeeze_dim(1), self.relu)
        })
    }
}
