use std::collections::BTreeMap;

use crucible_models::Value;

/// Which values of a graph are held in integers, and by what scale. Plain data: how to choose it is the caller's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quantization {
    /// Values that are held in `u8`, the input and outputs of nodes.
    pub values: BTreeMap<Value, Affine>,
    /// Fully connected layers and convolutions, by index, whose result before their activation is held in `u8` too. ReLU
    /// needs none: a runtime takes it into the layer where the `zero` of its output is 0.
    pub before: BTreeMap<usize, Affine>,
    /// Weights by their parameter's name, such as `fc1.weight`. What is absent stays `f32`.
    pub weights: BTreeMap<String, Weights>,
}

/// How `u8` stand for real numbers: `real = (integer − zero) · scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// The step between two integers: positive and finite.
    pub scale: f32,
    /// The integer that stands for zero.
    pub zero: u8,
}

/// A layer's weight in integers, `real = integer · scale`, in the order of the parameter's own values.
#[derive(Debug, Clone, PartialEq)]
pub enum Weights {
    /// Eight bits. The bias becomes an `i32` in steps of input scale · weight scale where the layer's input is held in
    /// `u8`.
    Int8 {
        /// As many as the parameter has.
        values: Vec<i8>,
        /// One for each output, positive even where all its weights are zero.
        scales: Vec<f32>,
    },
    /// Four bits. The bias stays `f32`.
    Int4 {
        /// As many as the parameter has, from −8 to 7.
        values: Vec<i8>,
        /// For each output one for each group, the groups of the first output first.
        scales: Vec<f32>,
        /// Weights of one output, flattened, that share a scale. The last group of an output may be smaller.
        group: usize,
    },
}

impl Weights {
    /// The integers.
    #[must_use]
    pub fn values(&self) -> &[i8] {
        match self {
            Self::Int8 { values, .. } | Self::Int4 { values, .. } => values,
        }
    }

    /// The scales.
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        match self {
            Self::Int8 { scales, .. } | Self::Int4 { scales, .. } => scales,
        }
    }
}
