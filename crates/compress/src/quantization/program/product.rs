//! The product that a quantized layer is, and what becomes of its sums.

use crucible_kernels::int8::{self, ConvShape, PackedWeights, Path, Stage};

/// A layer's weights, and how they meet the bytes of one example.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) weights: PackedWeights,
    pub(super) kind: Layer,
}

#[derive(Debug)]
pub(super) enum Layer {
    /// A fully connected layer.
    Linear,
    /// A convolution.
    Conv2d(ConvShape),
}

impl Product {
    /// The product of the bytes of some examples (of one, for a convolution), of which `zero` stands for 0.
    pub(super) fn run<S: Stage>(
        &self,
        path: Path,
        input: &[u8],
        zero: u8,
        stage: &S,
        output: &mut [S::Value],
        scratch: &mut Vec<u8>,
    ) {
        match &self.kind {
            Layer::Linear => int8::linear(path, input, &self.weights, stage, output),
            Layer::Conv2d(shape) => {
                int8::conv2d(path, input, shape, zero, &self.weights, stage, output, scratch)
            }
        }
    }
}

/// [`int8::Requantize`], owned.
#[derive(Debug)]
pub(super) struct Requantize {
    pub(super) offset: Vec<i32>,
    pub(super) multiplier: Vec<f32>,
    pub(super) zero: u8,
    pub(super) low: u8,
    pub(super) table: Option<Box<[u8; 256]>>,
}

impl Requantize {
    pub(super) fn stage(&self) -> int8::Requantize<'_> {
        let Self { offset, multiplier, zero, low, table } = self;
        int8::Requantize { offset, multiplier, zero: *zero, low: *low, high: 255, table: table.as_deref() }
    }
}

/// [`int8::Dequantize`], owned.
#[derive(Debug, Default)]
pub(super) struct Dequantize {
    pub(super) offset: Vec<i32>,
    pub(super) scale: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) relu: bool,
}

impl Dequantize {
    pub(super) fn stage(&self) -> int8::Dequantize<'_> {
        let Self { offset, scale, bias, relu } = self;
        int8::Dequantize { offset, scale, bias, relu: *relu }
    }
}
