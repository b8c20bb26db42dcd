//! The methods, one file each, and the one list that names them.

mod attention_rollout;
mod deep_lift;
mod expected_gradients;
mod grad_cam;
mod grad_cam_plus_plus;
mod guided_backprop;
mod input_x_gradient;
mod integrated_gradients;
mod kernel_shap;
mod lime;
mod lrp;
mod occlusion;
mod saliency;
mod smooth_grad;

use std::fmt;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use attention_rollout::AttentionRollout;
pub use deep_lift::DeepLift;
pub use expected_gradients::{Draw, ExpectedGradients};
pub use grad_cam::GradCam;
pub use grad_cam_plus_plus::GradCamPlusPlus;
pub use guided_backprop::GuidedBackprop;
pub use input_x_gradient::InputXGradient;
pub use integrated_gradients::IntegratedGradients;
pub use kernel_shap::KernelShap;
pub use lime::Lime;
pub use lrp::{Lrp, LrpRule};
pub use occlusion::Occlusion;
pub use saliency::Saliency;
pub use smooth_grad::{SmoothGrad, Smoothing};

use crate::{Attribution, Examples, ExplainError, Model};

/// How the class of an input becomes a number for each of its values.
pub trait Method {
    /// Explains every example. The settings are checked here, the examples are already.
    ///
    /// # Errors
    ///
    /// Where the model does not show what the method needs, or a setting is out of its range.
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError>;
}

/// What a method must see of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Scores: any model.
    Scores,
    /// Gradients by the input.
    Gradients,
    /// The layers of a network, one after another without branches.
    Chain,
    /// A chain of layers with a convolution, and pictures.
    Convolution,
    /// The layers of a network with attention.
    Attention,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scores => "scores",
            Self::Gradients => "gradients",
            Self::Chain => "the network's layers",
            Self::Convolution => "the network's layers, with a convolution",
            Self::Attention => "the network's layers, with attention",
        })
    }
}

/// What the numbers of a method mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// What the score changes by for each unit of the input.
    Sensitivity,
    /// A part of the score.
    Contribution,
    /// Where the network looks, without unit.
    Place,
}

/// A method for lists, help texts and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MethodInfo {
    /// The name that settings use.
    pub name: &'static str,
    /// One line on what it does.
    pub doc: &'static str,
    /// What it must see of the model.
    pub need: Need,
    /// What its numbers mean.
    pub meaning: Meaning,
}

/// One line a method: its name, its configuration, what it needs and what its numbers mean.
macro_rules! methods {
    ($(#[doc = $doc:literal] $name:literal $variant:ident: $need:ident, $meaning:ident;)*) => {
        /// Which method, and its settings.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name")]
        pub enum MethodConfig {
            $(#[doc = $doc] #[serde(rename = $name)] $variant($variant),)*
        }

        /// All methods.
        pub const METHODS: &[MethodInfo] = &[
            $(MethodInfo { name: $name, doc: $doc.trim_ascii(), need: Need::$need, meaning: Meaning::$meaning },)*
        ];

        impl MethodConfig {
            /// The method itself.
            #[must_use]
            pub fn method(&self) -> &dyn Method {
                match self {
                    $(Self::$variant(method) => method,)*
                }
            }

            /// Its name.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            /// The method of this name with its defaults.
            ///
            /// # Errors
            ///
            /// Where there is none; the error lists what there is.
            pub fn named(name: &str) -> Result<Self, ExplainError> {
                match name {
                    $($name => Ok(Self::$variant(<$variant>::default())),)*
                    _ => Err(ExplainError::NoSuchMethod {
                        name: name.to_owned(),
                        known: METHODS.iter().map(|method| method.name).collect(),
                    }),
                }
            }
        }
    };
}

methods! {
    /// The gradient of the score by the input, or its size.
    "saliency" Saliency: Gradients, Sensitivity;
    /// The gradient times the input.
    "input-x-gradient" InputXGradient: Gradients, Contribution;
    /// The gradient without paths that a ReLU would send negative values back on.
    "guided-backprop" GuidedBackprop: Chain, Sensitivity;
    /// The gradient averaged over noisy copies of the input.
    "smooth-grad" SmoothGrad: Gradients, Sensitivity;
    /// The gradient along the way from a baseline, times the way; adds up to the difference of scores.
    "integrated-gradients" IntegratedGradients: Gradients, Contribution;
    /// Integrated gradients over random background examples (GradientSHAP).
    "expected-gradients" ExpectedGradients: Gradients, Contribution;
    /// Differences to a baseline sent back through the layers (rescale rule); adds up to the difference of scores.
    "deep-lift" DeepLift: Chain, Contribution;
    /// Layer-wise relevance propagation: the score divided among the inputs of each layer.
    "lrp" Lrp: Chain, Contribution;
    /// Where the maps of a convolution speak for the class.
    "grad-cam" GradCam: Convolution, Place;
    /// Grad-CAM that weighs each place of a map on its own.
    "grad-cam-plus-plus" GradCamPlusPlus: Convolution, Place;
    /// What the score loses where a window covers the input.
    "occlusion" Occlusion: Scores, Contribution;
    /// A linear model of the score around the input.
    "lime" Lime: Scores, Contribution;
    /// Shapley values by weighted least squares; adds up to the difference of scores.
    "kernel-shap" KernelShap: Scores, Contribution;
    /// Attention multiplied through all layers: from which tokens the output draws.
    "attention-rollout" AttentionRollout: Attention, Place;
}

impl Default for MethodConfig {
    fn default() -> Self {
        Self::IntegratedGradients(IntegratedGradients::default())
    }
}

impl MethodConfig {
    /// The line of [`METHODS`] on it.
    #[must_use]
    pub fn info(&self) -> &'static MethodInfo {
        let found = METHODS.iter().find(|info| info.name == self.name());
        found.expect("the list is made of the same lines")
    }

    /// Explains every example. The same generator gives the same bytes.
    ///
    /// # Errors
    ///
    /// Where the model does not show what the method needs, a class does not exist or a setting is out of its range.
    ///
    /// # Panics
    ///
    /// If the examples' lengths or shape do not fit each other or the model.
    pub fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        on.check(model)?;
        self.method().attribute(model, on, rng)
    }
}
