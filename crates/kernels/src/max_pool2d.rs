//! The maximum over windows.

mod overlapping;
#[cfg(test)]
mod tests;

use std::hint::select_unpredictable;

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::{IntDType, Tensor};
use pulp::{Simd, WithSimd};

use crate::{
    flex,
    simd::{self, Lanes},
    tape,
    windows::Windows,
};

/// How windows move over the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool2d {
    /// Height and width of a window, in taps.
    pub kernel: [usize; 2],
    /// Pixels between two windows.
    pub stride: [usize; 2],
    /// Pixels of −∞ at each side.
    pub padding: [usize; 2],
    /// Pixels between two taps of a window.
    pub dilation: [usize; 2],
}

impl MaxPool2d {
    /// Windows of `size` by `size` side by side.
    #[must_use]
    pub fn tiles(size: usize) -> Self {
        Self { kernel: [size; 2], stride: [size; 2], padding: [0; 2], dilation: [1; 2] }
    }

    fn windows(self, image: [usize; 2]) -> Windows {
        let Self { kernel, stride, padding, dilation } = self;
        Windows::new("max_pool2d", image, [kernel, stride, padding, dilation])
    }
}

/// The maximum of each window of `size` by `size`: `[n, channels, h, w]` to `[n, channels, h / size, w / size]`,
/// rounded down.
///
/// NaN wins, and the gradient goes to the first maximum in the order of reading.
///
/// # Panics
///
/// Where `size` is zero or larger than the picture.
#[must_use]
pub fn max_pool2d(input: Tensor<4>, size: usize) -> Tensor<4> {
    max_pool2d_with(input, MaxPool2d::tiles(size))
}

/// The maximum of each window: `[n, channels, h, w]` to `[n, channels, oh, ow]` with `oh = (h + 2·padding -
/// dilation·(kernel - 1) - 1) / stride + 1`, rounded down.
///
/// NaN wins, and the gradient goes to the first maximum in the order of reading; a pixel that is that of several
/// windows gets the sum. The padding gets none.
///
/// # Panics
///
/// Where kernel, stride or dilation are zero, the padding is more than half a window, or a window is larger than the
/// padded picture.
#[must_use]
pub fn max_pool2d_with(input: Tensor<4>, options: MaxPool2d) -> Tensor<4> {
    let [_, _, height, width] = input.dims();
    let _ = options.windows([height, width]);
    Tensor::from_dispatch(<Dispatch as MaxPoolOps>::max_pool(input.into_dispatch(), options))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait MaxPoolOps: Backend {
    fn max_pool(input: FloatTensor<Self>, options: MaxPool2d) -> FloatTensor<Self> {
        let MaxPool2d { kernel, stride, padding, dilation } = options;
        Self::max_pool2d(input, kernel, stride, padding, dilation, false)
    }

    /// The gradient by the input.
    fn max_pool_backward(
        input: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: MaxPool2d,
    ) -> FloatTensor<Self> {
        let MaxPool2d { kernel, stride, padding, dilation } = options;
        let x = input.clone();
        let found = Self::max_pool2d_with_indices(x, kernel, stride, padding, dilation, false, IntDType::I32);
        let indices = found.indices;
        Self::max_pool2d_with_indices_backward(input, kernel, stride, padding, dilation, false, grad, indices)
            .x_grad
    }
}

/// Where windows that lie side by side are in a plane of pixels.
#[derive(Clone, Copy)]
struct Tiles {
    size: usize,
    width: usize,
    /// Height and width of the output.
    output: [usize; 2],
}

impl Tiles {
    /// None where the windows overlap, have gaps or are padded.
    fn new(windows: &Windows) -> Option<Self> {
        let size = windows.kernel[0];
        let tiles = [windows.kernel, windows.stride] == [[size; 2]; 2]
            && windows.padding == [0; 2]
            && windows.dilation == [1; 2];
        tiles.then(|| Self { size, width: windows.image[1], output: windows.output })
    }

    /// The plane's row of pixels at height `y` of the windows in row `row`, those that a window covers.
    fn pixels(self, row: usize, y: usize) -> std::ops::Range<usize> {
        let start = (row * self.size + y) * self.width;
        start..start + self.output[1] * self.size
    }
}

/// A size known to the compiler for the usual sizes, so that loops over a window unroll.
macro_rules! for_size {
    ($size:expr, |$known:ident| $body:expr) => {
        match $size {
            2 => {
                let $known = 2;
                $body
            }
            3 => {
                let $known = 3;
                $body
            }
            $known => $body,
        }
    };
}

impl MaxPoolOps for Flex {
    fn max_pool(input: FloatTensor<Self>, options: MaxPool2d) -> FloatTensor<Self> {
        let [n, channels, height, width] = input.shape().dims();
        let windows = options.windows([height, width]);
        let tiles = Tiles::new(&windows);
        let input = flex::contiguous(input);
        let values = flex::values(&input);
        let mut output = flex::buffer(n * channels * windows.positions());
        simd::each_row(&mut output, windows.positions(), |plane, output| {
            let plane = &values[plane * windows.pixels()..][..windows.pixels()];
            match tiles {
                Some(tiles) => simd::dispatch(Forward { tiles, plane, output }),
                None => simd::dispatch(overlapping::Forward { windows, plane, output }),
            }
        });
        flex::tensor(output, [n, channels, windows.output[0], windows.output[1]])
    }

    fn max_pool_backward(
        input: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: MaxPool2d,
    ) -> FloatTensor<Self> {
        let shape = input.shape();
        let [_, _, height, width] = shape.dims();
        let windows = options.windows([height, width]);
        let tiles = Tiles::new(&windows);
        let (input, grad) = (flex::contiguous(input), flex::contiguous(grad));
        let (values, grad) = (flex::values(&input), flex::values(&grad));
        let mut output = flex::buffer(values.len());
        simd::each_row(&mut output, windows.pixels(), |plane, output| {
            let plane_values = &values[plane * windows.pixels()..][..windows.pixels()];
            let grad = &grad[plane * windows.positions()..][..windows.positions()];
            match tiles {
                Some(tiles) => for_size!(tiles.size, |size| tiles.scatter(size, plane_values, grad, output)),
                None => simd::dispatch(overlapping::Scatter { windows, plane: plane_values, grad, output }),
            }
        });
        flex::tensor(output, shape)
    }
}

/// The maxima of one plane.
struct Forward<'a> {
    tiles: Tiles,
    plane: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    /// First down the columns of a row of windows, whole vectors at a time, then along it.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { tiles, plane, output } = self;
        let size = tiles.size;
        let mut columns = vec![0.0; tiles.output[1] * size];
        for (row, output) in output.chunks_exact_mut(tiles.output[1]).enumerate() {
            columns.copy_from_slice(&plane[tiles.pixels(row, 0)]);
            for y in 1..size {
                let line = &plane[tiles.pixels(row, y)];
                simd::Update { f: Larger, target: &mut columns, others: [line] }.with_simd(simd);
            }
            for_size!(size, |size| {
                // Plain loops without branches, which the compiler makes vectors of.
                let columns = &columns[..output.len() * size];
                for i in 0..output.len() {
                    let mut best = columns[i * size];
                    for x in 1..size {
                        let value = columns[i * size + x];
                        best = if (value > best) | value.is_nan() { value } else { best };
                    }
                    output[i] = best;
                }
            });
        }
    }
}

/// The larger of two numbers; NaN where either is.
#[derive(Clone, Copy)]
struct Larger;

impl Lanes<1> for Larger {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, best: S::f32s, [value]: [S::f32s; 1]) -> S::f32s {
        let larger = simd.select_f32s(simd.greater_than_f32s(value, best), value, best);
        simd.select_f32s(simd.equal_f32s(value, value), larger, value)
    }
}

impl Tiles {
    /// Hands each window's gradient to its first maximum.
    #[inline(always)]
    fn scatter(self, size: usize, values: &[f32], grad: &[f32], output: &mut [f32]) {
        for (row, grad) in grad.chunks_exact(self.output[1]).enumerate() {
            let first = self.pixels(row, 0).start;
            for (column, &grad) in grad.iter().enumerate() {
                let first = first + column * size;
                let (mut best, mut at) = (values[first], first);
                for y in 0..size {
                    let start = first + y * self.width;
                    for (x, &value) in values[start..start + size].iter().enumerate() {
                        let wins = (value > best) | (value.is_nan() & !best.is_nan());
                        best = select_unpredictable(wins, value, best);
                        at = select_unpredictable(wins, start + x, at);
                    }
                }
                output[at] = grad;
            }
        }
    }
}

impl<B: MaxPoolOps, C: CheckpointStrategy> MaxPoolOps for Autodiff<B, C> {
    fn max_pool(input: FloatTensor<Self>, options: MaxPool2d) -> FloatTensor<Self> {
        let forward = |[input]: [FloatTensor<B>; 1]| (B::max_pool(input.clone(), options), (input, options));
        tape::record::<B, C, _, 1>([input], forward, |(input, options), grad, _| {
            [Some(B::max_pool_backward(input, grad, options))]
        })
    }
}
