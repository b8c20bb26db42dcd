//! A recipe that uses every form of schema that config types may be written in.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A training job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// Where the examples come from.
    pub(crate) data: Data,
    /// The network.
    #[serde(default)]
    pub(crate) model: Model,
    /// How it is trained.
    pub(crate) train: Train,
    /// What the model is held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) audit: Option<Audit>,
}

/// Examples, and how they are split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Data {
    /// The share of examples held out for testing.
    #[serde(default = "fifth")]
    #[schemars(range(min = 0.0, max = 0.5))]
    pub(crate) test_share: f64,
    #[serde(flatten)]
    pub(crate) source: Source,
}

fn fifth() -> f64 {
    0.2
}

/// Where examples come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub(crate) enum Source {
    /// Handwritten digits.
    Digits,
    /// A table of comma-separated values.
    Csv(Csv),
    /// Two interleaved half circles.
    TwoMoons {
        /// How many points.
        #[serde(default = "thousand")]
        #[schemars(range(min = 2, max = 1_000_000))]
        points: usize,
        /// How far points stray.
        #[serde(default)]
        noise: f32,
    },
}

fn thousand() -> usize {
    1000
}

/// A file of comma-separated values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Csv {
    /// The file.
    #[schemars(length(min = 1))]
    pub(crate) path: String,
    /// The column with the class.
    pub(crate) label: Column,
    /// Where the columns lie.
    #[serde(default)]
    pub(crate) rename: BTreeMap<String, u8>,
}

/// A column, by its name or by its number from zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Column {
    /// By number.
    Number(u16),
    /// By name.
    Name(String),
}

/// A network of dense layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Model {
    /// The width of each hidden layer.
    #[schemars(length(min = 1, max = 8), inner(range(min = 1, max = 4096)))]
    pub(crate) hidden: Vec<u32>,
    /// The nonlinearity.
    pub(crate) activation: Activation,
    /// How wide and how high an input is.
    pub(crate) shape: Option<(u32, u32)>,
    /// Scale of the first weights.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(crate) scale: Option<f64>,
    /// Normalize each layer's inputs.
    pub(crate) norm: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self { hidden: vec![64], activation: Activation::Relu, shape: None, scale: None, norm: false }
    }
}

/// A nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Activation {
    /// The positive part.
    Relu,
    /// Gaussian error linear unit.
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
}

/// Precision of the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Precision {
    Single,
    Half,
}

/// The loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Train {
    /// How often every example is seen.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) epochs: u32,
    /// The seed of everything random.
    #[serde(default)]
    pub(crate) seed: u64,
    /// Examples per step; all of them if unset.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(crate) batch: Option<usize>,
    /// Precision, if not the machine's own.
    #[serde(default)]
    pub(crate) precision: Option<Precision>,
    /// The update rule.
    #[serde(default)]
    pub(crate) optimizer: Optimizer,
    /// How the rate changes.
    #[serde(default)]
    pub(crate) schedule: Option<Schedule>,
}

/// An update rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub(crate) enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adaptive moments.
    Adam(Adam),
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Sgd(Sgd::default())
    }
}

/// Stochastic gradient descent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sgd {
    /// Learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(crate) lr: f64,
    /// Share of the last step that is kept.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub(crate) momentum: f64,
    /// Look ahead before each step.
    pub(crate) nesterov: bool,
    /// Pull towards zero.
    #[schemars(range(min = 0.0))]
    pub(crate) weight_decay: f32,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 1e-4 }
    }
}

/// Adaptive moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Adam {
    /// Learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(crate) lr: f64,
    /// Decay of the two moments.
    pub(crate) betas: [f64; 2],
    /// Kept off zero by this much.
    pub(crate) epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { lr: 1e-3, betas: [0.9, 0.999], epsilon: 1e-8 }
    }
}

/// How the rate changes over the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Schedule {
    /// The same throughout.
    Constant,
    /// Down in steps.
    Step {
        /// Epochs between steps.
        every: u32,
        /// What each step multiplies by.
        #[serde(default = "tenth")]
        factor: f64,
    },
}

fn tenth() -> f64 {
    0.1
}

/// Limits on the trained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    /// One after another.
    #[serde(default)]
    pub(crate) checks: Vec<Limit>,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    /// What is measured.
    pub(crate) metric: String,
    /// The least that passes.
    pub(crate) at_least: f64,
}
