//! Convolutions.
//!
//! Without im2col: the pixels of a kernel's row lie side by side in a picture whose channels come last, so that a window is
//! a few runs of bytes. A run that is no whole number of steps is read beyond its end, where the weights are zero.

use super::{
    PackedWeights, Path, Stage,
    tile::{Lines, Rows, Runs, product},
    weights::DEPTH,
};

/// A picture, and how a kernel moves over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Rows of the picture.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Bytes of a pixel.
    pub channels: usize,
    /// Height and width of the kernel, in taps.
    pub kernel: [usize; 2],
    /// Pixels between two outputs.
    pub stride: [usize; 2],
    /// Pixels of the zero point at each side.
    pub padding: [usize; 2],
    /// Pixels between two taps.
    pub dilation: [usize; 2],
}

impl ConvShape {
    /// Height and width of the output: `(size + 2·padding - dilation·(kernel - 1) - 1) / stride + 1`, rounded down.
    ///
    /// # Panics
    ///
    /// Where kernel, stride, dilation or channels are zero, or the kernel is larger than the padded picture, or that has
    /// more bytes than a number can count.
    #[must_use]
    pub fn output(&self) -> [usize; 2] {
        let Self { kernel, stride, dilation, channels, .. } = *self;
        assert!(
            kernel.into_iter().chain(stride).chain(dilation).chain([channels]).all(|number| number > 0),
            "conv2d: kernel {kernel:?}, stride {stride:?}, dilation {dilation:?} and channels {channels} must not be \
             zero"
        );
        let padded = self.padded();
        let bytes = padded[0].checked_mul(padded[1]).and_then(|pixels| pixels.checked_mul(channels));
        assert!(bytes.is_some_and(|bytes| bytes < usize::MAX / 2), "conv2d: {self:?} is too large");
        [0, 1].map(|a| {
            let extent = (kernel[a] - 1).saturating_mul(dilation[a]).saturating_add(1);
            assert!(
                extent <= padded[a],
                "conv2d: a kernel of {kernel:?}, dilation {dilation:?}, on {padded:?} pixels"
            );
            (padded[a] - extent) / stride[a] + 1
        })
    }

    /// Height and width with the padding.
    fn padded(&self) -> [usize; 2] {
        let size = [self.height, self.width];
        [0, 1].map(|a| self.padding[a].saturating_mul(2).saturating_add(size[a]))
    }

    /// How many runs of bytes that lie side by side a window has: in each of its rows, and how long each is. Taps that
    /// have pixels between them are runs of their own.
    fn runs_of_row(&self) -> [usize; 2] {
        let width = self.kernel[1];
        if self.dilation[1] == 1 { [1, width * self.channels] } else { [width, self.channels] }
    }

    /// The runs of the weights: how many there are, and how long each is.
    pub(super) fn weight_runs(&self) -> [usize; 2] {
        let [runs, run] = self.runs_of_row();
        [self.kernel[0] * runs, run]
    }

    /// The windows' runs of bytes in the padded picture.
    fn runs(&self) -> Runs {
        // A step that is too far for any picture is of a kernel with a single tap, and is not taken.
        let [runs, run] = self.runs_of_row();
        let [_, width] = self.padded();
        let [down, right] = self.dilation;
        Runs {
            lines: [self.kernel[0], down.saturating_mul(width * self.channels)],
            taps: [runs, right.saturating_mul(self.channels)],
            steps: run.div_ceil(DEPTH),
            tail: 0,
        }
    }
}

/// The convolution of one picture `[height, width, channels]`, and what `stage` makes of it: `output` `[h, w, outputs]`,
/// `h` and `w` those of [`ConvShape::output`]. The padding holds `zero`, the zero point of the picture.
///
/// `scratch` is any vector, which is best kept for the next call: it then allocates nothing.
///
/// # Panics
///
/// Where the lengths do not fit each other, the weights were packed for another kernel, the kernel is larger than the
/// padded picture, or the processor lacks the path.
#[expect(
    clippy::too_many_arguments,
    reason = "a picture, its meaning, what is done with it, and where it goes"
)]
pub fn conv2d<S: Stage>(
    path: Path,
    input: &[u8],
    shape: &ConvShape,
    zero: u8,
    weights: &PackedWeights,
    stage: &S,
    output: &mut [S::Value],
    scratch: &mut Vec<u8>,
) {
    let path = path.check();
    let [height, width] = shape.output();
    let outputs = weights.outputs();
    stage.check(outputs);
    assert!(weights.runs() == shape.weight_runs(), "conv2d: weights that were packed for another kernel");
    assert!(
        input.len() == shape.height * shape.width * shape.channels
            && output.len() == height * width * outputs,
        "conv2d: {} bytes to {} values, for {shape:?} and {outputs} outputs",
        input.len(),
        output.len()
    );
    let picture = bordered(input, shape, zero, scratch);
    let pitch = shape.padded()[1] * shape.channels;
    let [down, right] =
        [(0, pitch), (1, shape.channels)].map(|(a, bytes)| shape.stride[a].saturating_mul(bytes));
    // Where the windows of all lines are equally far from each other, they are one line.
    let [count, length] =
        if width.saturating_mul(right) == down { [1, height * width] } else { [height, width] };
    let rows = Rows { bytes: picture, stride: right, runs: shape.runs() };
    product(path, rows, Lines { count, length, stride: down }, weights, stage, output);
}

/// The picture with its padding, and with bytes to read after its end where a run is no whole number of steps.
fn bordered<'a>(input: &'a [u8], shape: &ConvShape, zero: u8, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    let [_, run] = shape.weight_runs();
    if shape.padding == [0; 2] && run.is_multiple_of(DEPTH) {
        return input;
    }
    let ([height, width], [above, left]) = (shape.padded(), shape.padding);
    let pitch = width * shape.channels;
    scratch.clear();
    scratch.resize(height * pitch + DEPTH - 1, zero);
    let line = shape.width * shape.channels;
    if line > 0 {
        let rows = scratch[above * pitch..].chunks_exact_mut(pitch);
        for (source, row) in input.chunks_exact(line).zip(rows) {
            row[left * shape.channels..][..line].copy_from_slice(source);
        }
    }
    scratch
}
