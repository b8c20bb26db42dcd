//! Fully connected layers.

use super::{
    PackedWeights, Path, Stage,
    tile::{Lines, Rows, Runs, product},
    weights::DEPTH,
};

/// The product of `input` `[rows, inputs]` by the weights, and what `stage` makes of it: `output` `[rows, outputs]`.
///
/// # Panics
///
/// Where the lengths do not fit each other, or the processor lacks the path.
pub fn linear<S: Stage>(
    path: Path,
    input: &[u8],
    weights: &PackedWeights,
    stage: &S,
    output: &mut [S::Value],
) {
    let path = path.check();
    let (inputs, outputs) = (weights.inputs(), weights.outputs());
    stage.check(outputs);
    assert!(weights.runs()[0] == 1, "linear: weights that were packed for a convolution");
    let rows = output.len() / outputs;
    assert!(
        input.len() == rows * inputs && output.len() == rows * outputs,
        "linear: {} bytes to {} values, by weights of {outputs} outputs and {inputs} inputs",
        input.len(),
        output.len()
    );
    let runs = Runs { lines: [1, 0], taps: [1, 0], steps: inputs / DEPTH, tail: inputs % DEPTH };
    let lines = Lines { count: 1, length: rows, stride: 0 };
    product(path, Rows { bytes: input, stride: inputs, runs }, lines, weights, stage, output);
}
