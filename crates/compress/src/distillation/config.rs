use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The recipe's `[distill]` table: a network that learns from the answers of another one, its teacher.
///
/// G. Hinton, O. Vinyals, J. Dean: Distilling the knowledge in a neural network, 2015, arXiv:1503.02531.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DistillConfig {
    /// The teacher's run folder, compressed or not; a relative path starts at the recipe's folder.
    pub teacher: PathBuf,
    /// What both networks' outputs are divided by before they become probabilities: above 1 also what the teacher
    /// thinks of wrong classes is learned. Numbers that are predicted have no temperature.
    #[serde(default = "four")]
    #[schemars(range(min = 0.1, max = 100.0))]
    pub temperature: f64,
    /// The weight of the teacher's part; the recipe's loss gets the rest.
    #[serde(default = "nine_tenths")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight: f64,
    /// A layer whose output the student imitates, too; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<FeaturesConfig>,
}

impl DistillConfig {
    /// Learning from the run at `teacher`, with the defaults.
    #[must_use]
    pub fn new(teacher: impl Into<PathBuf>) -> Self {
        Self { teacher: teacher.into(), temperature: four(), weight: nine_tenths(), features: None }
    }
}

/// The mean squared error between the outputs of two layers of equal width, after their activations.
///
/// A. Romero et al.: FitNets, hints for thin deep nets, 2015, arXiv:1412.6550; without their learned projection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeaturesConfig {
    /// The student's layer, such as `fc1`.
    pub student: String,
    /// The teacher's layer.
    pub teacher: String,
    /// The weight of the error, beside the other parts.
    #[serde(default = "one")]
    #[schemars(range(min = 0.0))]
    pub weight: f64,
}

fn four() -> f64 {
    4.0
}

fn nine_tenths() -> f64 {
    0.9
}

fn one() -> f64 {
    1.0
}
