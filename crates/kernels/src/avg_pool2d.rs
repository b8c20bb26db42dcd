//! The mean over windows.

#[cfg(test)]
mod tests;

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};
use burn::tensor::Tensor;
use pulp::{Simd, WithSimd};

use crate::{
    flex,
    simd::{self, Sum, Update},
    tape,
    windows::Windows,
};

/// How windows move over the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvgPool2d {
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// Pixels between two windows.
    pub stride: [usize; 2],
    /// Zeros at each side, which count as values.
    pub padding: [usize; 2],
}

impl AvgPool2d {
    /// Windows of `size` by `size` side by side.
    #[must_use]
    pub fn tiles(size: usize) -> Self {
        Self { kernel: [size; 2], stride: [size; 2], padding: [0; 2] }
    }

    fn windows(self, image: [usize; 2]) -> Windows {
        Windows::new("avg_pool2d", image, [self.kernel, self.stride, self.padding, [1; 2]])
    }
}

/// The mean of each window: `[n, channels, h, w]` to `[n, channels, oh, ow]` with `oh = (h + 2·padding - kernel) /
/// stride + 1`, rounded down.
///
/// Padding counts as zeros, PyTorch's `count_include_pad`.
///
/// # Panics
///
/// Where kernel or stride are zero, the padding is more than half a window, or a window is larger than the padded
/// image.
#[must_use]
pub fn avg_pool2d(input: Tensor<4>, options: AvgPool2d) -> Tensor<4> {
    let [_, _, height, width] = input.dims();
    let _ = options.windows([height, width]);
    Tensor::from_dispatch(<Dispatch as AvgPoolOps>::avg_pool(input.into_dispatch(), options))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait AvgPoolOps: Backend {
    fn avg_pool(input: FloatTensor<Self>, options: AvgPool2d) -> FloatTensor<Self> {
        Self::avg_pool2d(input, options.kernel, options.stride, options.padding, true, false)
    }

    /// The gradient by an input of `image` height and width.
    fn avg_pool_backward(
        grad: FloatTensor<Self>,
        options: AvgPool2d,
        image: [usize; 2],
    ) -> FloatTensor<Self> {
        let [n, channels, _, _] = grad.shape().dims();
        let shape = burn::tensor::Shape::new([n, channels, image[0], image[1]]);
        // Only its shape is read.
        let input = Self::float_zeros(shape, &grad.device(), grad.dtype().into());
        let AvgPool2d { kernel, stride, padding } = options;
        Self::avg_pool2d_backward(input, grad, kernel, stride, padding, true, false)
    }
}

impl AvgPoolOps for Flex {
    fn avg_pool(input: FloatTensor<Self>, options: AvgPool2d) -> FloatTensor<Self> {
        let [n, channels, height, width] = input.shape().dims();
        let windows = options.windows([height, width]);
        let input = flex::contiguous(input);
        let values = flex::values(&input);
        let mut output = flex::buffer(n * channels * windows.positions());
        simd::each_row(&mut output, windows.positions(), |plane, output| {
            let plane = &values[plane * windows.pixels()..][..windows.pixels()];
            simd::dispatch(Forward { windows, plane, output });
        });
        flex::tensor(output, [n, channels, windows.output[0], windows.output[1]])
    }

    fn avg_pool_backward(
        grad: FloatTensor<Self>,
        options: AvgPool2d,
        image: [usize; 2],
    ) -> FloatTensor<Self> {
        let [n, channels, _, _] = grad.shape().dims();
        let windows = options.windows(image);
        let grad = flex::contiguous(grad);
        let values = flex::values(&grad);
        let mut output = flex::buffer(n * channels * windows.pixels());
        simd::each_row(&mut output, windows.pixels(), |plane, output| {
            let grad = &values[plane * windows.positions()..][..windows.positions()];
            simd::dispatch(Backward { windows, grad, output });
        });
        flex::tensor(output, [n, channels, image[0], image[1]])
    }
}

impl<B: AvgPoolOps, C: CheckpointStrategy> AvgPoolOps for Autodiff<B, C> {
    fn avg_pool(input: FloatTensor<Self>, options: AvgPool2d) -> FloatTensor<Self> {
        let forward = |[input]: [FloatTensor<B>; 1]| {
            let [_, _, height, width] = input.shape().dims();
            (B::avg_pool(input, options), (options, [height, width]))
        };
        tape::record::<B, C, _, 1>([input], forward, |(options, image), grad, _| {
            [Some(B::avg_pool_backward(grad, options, image))]
        })
    }
}

/// One plane.
struct Forward<'a> {
    windows: Windows,
    plane: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    /// Adds up the columns of a row of windows, whole vectors at a time, then along it.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { windows, plane, output } = self;
        let ([_, size], [_, stride]) = (windows.kernel, windows.stride);
        let share = 1.0 / (windows.kernel[0] * size) as f32;
        let mut columns = vec![0.0; windows.padded_width()];
        let apart = stride >= size;
        // One sum for each place where a window could begin, of which every `stride`th is one.
        let mut sums = vec![0.0; if apart { 0 } else { columns.len() - size + 1 }];
        for (row, output) in output.chunks_exact_mut(windows.output[1]).enumerate() {
            let inside = &mut columns[windows.padding[1]..][..windows.image[1]];
            let mut rows = windows.rows(row);
            match rows.next() {
                Some(pixels) => inside.copy_from_slice(&plane[pixels]),
                None => inside.fill(0.0),
            }
            for pixels in rows {
                Update { f: Sum, target: inside, others: [&plane[pixels]] }.with_simd(simd);
            }
            if apart {
                for (x, mean) in output.iter_mut().enumerate() {
                    *mean = columns[x * stride..][..size].iter().sum::<f32>() * share;
                }
            } else {
                let length = sums.len();
                sums.copy_from_slice(&columns[..length]);
                for x in 1..size {
                    Update { f: Sum, target: &mut sums, others: [&columns[x..][..length]] }.with_simd(simd);
                }
                for (mean, sum) in output.iter_mut().zip(sums.iter().step_by(stride)) {
                    *mean = sum * share;
                }
            }
        }
    }
}

/// One plane.
struct Backward<'a> {
    windows: Windows,
    grad: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    /// Spreads a row of gradients over the columns of their windows, and adds that to each row under them.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { windows, grad, output } = self;
        let ([_, size], [_, stride]) = (windows.kernel, windows.stride);
        let share = 1.0 / (windows.kernel[0] * size) as f32;
        let mut columns = vec![0.0; windows.padded_width()];
        let mut shares = vec![0.0; windows.output[1]];
        for (row, grad) in grad.chunks_exact(windows.output[1]).enumerate() {
            shares.iter_mut().zip(grad).for_each(|(share_of, grad)| *share_of = grad * share);
            if stride >= size {
                for (x, share) in shares.iter().enumerate() {
                    columns[x * stride..][..size].fill(*share);
                }
            } else {
                columns.fill(0.0);
                for x in 0..size {
                    let columns = &mut columns[x..];
                    if stride == 1 {
                        let target = &mut columns[..shares.len()];
                        Update { f: Sum, target, others: [&shares] }.with_simd(simd);
                    } else {
                        let columns = columns.iter_mut().step_by(stride);
                        columns.zip(&shares).for_each(|(column, share)| *column += share);
                    }
                }
            }
            let inside = &columns[windows.padding[1]..][..windows.image[1]];
            for pixels in windows.rows(row) {
                Update { f: Sum, target: &mut output[pixels], others: [inside] }.with_simd(simd);
            }
        }
    }
}
