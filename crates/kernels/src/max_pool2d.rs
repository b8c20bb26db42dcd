//! The maximum over windows that do not overlap.

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
};

/// The maximum of each window of `size` by `size`: `[n, channels, h, w]` to `[n, channels, h / size, w / size]`,
/// rounded down.
///
/// NaN wins, and the gradient goes to the first maximum in the order of reading, as in PyTorch.
///
/// # Panics
///
/// Where `size` is zero or larger than the picture.
#[must_use]
pub fn max_pool2d(input: Tensor<4>, size: usize) -> Tensor<4> {
    let [_, _, height, width] = input.dims();
    assert!(
        (1..=height.min(width)).contains(&size),
        "max_pool2d: windows of {size}x{size} in {height}x{width}"
    );
    Tensor::from_dispatch(<Dispatch as MaxPoolOps>::max_pool_windows(input.into_dispatch(), size))
}

#[backend_extension(Autodiff, Flex)]
pub(crate) trait MaxPoolOps: Backend {
    fn max_pool_windows(input: FloatTensor<Self>, size: usize) -> FloatTensor<Self> {
        Self::max_pool2d(input, [size; 2], [size; 2], [0; 2], [1; 2], false)
    }

    /// The gradient by the input.
    fn max_pool_windows_backward(
        input: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        size: usize,
    ) -> FloatTensor<Self> {
        let kernel = [size; 2];
        let pad = [0; 2];
        let found =
            Self::max_pool2d_with_indices(input.clone(), kernel, kernel, pad, [1; 2], false, IntDType::I32);
        Self::max_pool2d_with_indices_backward(input, kernel, kernel, pad, [1; 2], false, grad, found.indices)
            .x_grad
    }
}

/// Where windows lie in a plane of pixels.
#[derive(Clone, Copy)]
struct Windows {
    size: usize,
    width: usize,
    /// Height and width of the output.
    output: [usize; 2],
    /// Pixels of an input plane.
    pixels: usize,
}

impl Windows {
    fn new(input: &FloatTensor<Flex>, size: usize) -> Self {
        let [_, _, height, width] = input.shape().dims();
        Self { size, width, output: [height / size, width / size], pixels: height * width }
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
    fn max_pool_windows(input: FloatTensor<Self>, size: usize) -> FloatTensor<Self> {
        let [n, channels, _, _] = input.shape().dims();
        let windows = Windows::new(&input, size);
        let [height, width] = windows.output;
        let input = flex::contiguous(input);
        let values = flex::values(&input);
        let mut output = flex::buffer(n * channels * height * width);
        simd::each_row(&mut output, height * width, |plane, output| {
            let plane = &values[plane * windows.pixels..][..windows.pixels];
            simd::dispatch(Forward { windows, plane, output });
        });
        flex::tensor(output, [n, channels, height, width])
    }

    fn max_pool_windows_backward(
        input: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        size: usize,
    ) -> FloatTensor<Self> {
        let shape = input.shape();
        let windows = Windows::new(&input, size);
        let [height, width] = windows.output;
        let (input, grad) = (flex::contiguous(input), flex::contiguous(grad));
        let (values, grad) = (flex::values(&input), flex::values(&grad));
        let mut output = flex::buffer(values.len());
        simd::each_row(&mut output, windows.pixels, |plane, output| {
            let values = &values[plane * windows.pixels..][..windows.pixels];
            let grad = &grad[plane * height * width..][..height * width];
            for_size!(size, |size| windows.scatter(size, values, grad, output));
        });
        flex::tensor(output, shape)
    }
}

/// The maxima of one plane.
struct Forward<'a> {
    windows: Windows,
    plane: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    /// First down the columns of a row of windows, whole vectors at a time, then along it.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { windows, plane, output } = self;
        let size = windows.size;
        let mut columns = vec![0.0; windows.output[1] * size];
        for (row, output) in output.chunks_exact_mut(windows.output[1]).enumerate() {
            columns.copy_from_slice(&plane[windows.pixels(row, 0)]);
            for y in 1..size {
                let line = &plane[windows.pixels(row, y)];
                simd::Update { f: Larger, target: &mut columns, others: [line] }.with_simd(simd);
            }
            for_size!(size, |size| {
                for (best, window) in output.iter_mut().zip(columns.chunks_exact(size)) {
                    let larger =
                        |best: f32, &value: &f32| if value > best || value.is_nan() { value } else { best };
                    *best = window[1..].iter().fold(window[0], larger);
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

impl Windows {
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
    fn max_pool_windows(input: FloatTensor<Self>, size: usize) -> FloatTensor<Self> {
        let forward =
            |[input]: [FloatTensor<B>; 1]| (B::max_pool_windows(input.clone(), size), (input, size));
        tape::record::<B, C, _, 1>([input], forward, |(input, size), grad, _| {
            [Some(B::max_pool_windows_backward(input, grad, size))]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData, module, ops::MaxPoolOptions};

    fn picture(shape: [usize; 4], device: &Device) -> Tensor<4> {
        // Few distinct values, so that windows have ties.
        let values: Vec<f32> = (0..shape.iter().product()).map(|i| (i * 7919 % 11) as f32 - 5.0).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    #[test]
    fn agrees_with_burn_over_shapes_and_ties() {
        let device = Device::flex().autodiff();
        for (shape, size) in [
            ([0, 2, 4, 4], 2),
            ([1, 1, 1, 1], 1),
            ([2, 3, 5, 7], 2),
            ([3, 2, 9, 10], 3),
            ([8, 16, 24, 24], 2),
            ([1, 2, 6, 4], 4),
        ] {
            let [n, channels, height, width] = shape;
            let strided = picture([n, channels, width, height], &device).transpose();
            for x in [picture(shape, &device), strided] {
                let x = x.require_grad();
                let ours = max_pool2d(x.clone(), size);
                let plain = module::max_pool2d(x.clone(), MaxPoolOptions::new([size; 2]));
                ours.to_data().assert_eq(&plain.to_data(), true);
                let weight = picture(ours.dims(), &device) + 0.25;
                let actual = x.grad(&(ours * weight.clone()).sum().backward()).unwrap();
                let expected = x.grad(&(plain * weight).sum().backward()).unwrap();
                actual.to_data().assert_eq(&expected.to_data(), true);
            }
        }
    }

    #[test]
    fn nan_wins() {
        let device = Device::flex();
        let x = Tensor::<4>::from_floats([[[[1.0, f32::NAN], [3.0, 2.0]]]], &device);
        assert!(max_pool2d(x, 2).into_scalar::<f32>().is_nan());
    }
}
