//! What a layer's integers become before they are used.

use burn::tensor::{Device, Tensor};
use crucible_models::Activation;

use crate::{Affine, Integers};

/// The sum of the weights of each output.
pub(super) fn sums(weights: &Integers) -> Vec<i32> {
    let rows = weights.values.chunks(weights.inputs().max(1));
    rows.map(|row| row.iter().map(|weight| i32::from(*weight)).sum()).collect()
}

/// Rows `[channels, positions]` to rows `[positions, channels]`.
pub(super) fn channels_last(values: &[i8], inputs: usize, channels: usize) -> Vec<i8> {
    let positions = inputs / channels;
    let row = |row: &[i8]| -> Vec<i8> {
        (0..inputs).map(|i| row[i % channels * positions + i / channels]).collect()
    };
    values.chunks_exact(inputs).flat_map(row).collect()
}

/// An activation as a function of bytes.
pub(super) fn table(activation: Activation, from: Affine, to: Affine) -> [u8; 256] {
    let device = Device::flex();
    let inputs: Vec<f32> = (0..=255).map(|byte| from.dequantize(byte)).collect();
    let outputs = activation.forward(Tensor::<1>::from_floats(inputs.as_slice(), &device));
    let outputs = outputs.into_data().try_to_vec::<f32>().expect("networks here hold f32");
    std::array::from_fn(|byte| to.quantize(outputs[byte]))
}
