//! Where the windows of a pooling lie in a plane of pixels.

use std::ops::Range;

/// Windows over a padded plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    pub(crate) dilation: [usize; 2],
    /// Height and width of the input.
    pub(crate) image: [usize; 2],
    /// Height and width of the output.
    pub(crate) output: [usize; 2],
}

impl Windows {
    /// # Panics
    ///
    /// Where a number other than the padding is zero, where the padding is more than half a window, or where a window
    /// is larger than the padded image.
    pub(crate) fn new(
        name: &str,
        image: [usize; 2],
        [kernel, stride, padding, dilation]: [[usize; 2]; 4],
    ) -> Self {
        let output = [0, 1].map(|a| {
            assert!(
                kernel[a] > 0 && stride[a] > 0 && dilation[a] > 0,
                "{name}: kernel {kernel:?}, stride {stride:?} and dilation {dilation:?} must not be zero"
            );
            let extent = dilation[a] * (kernel[a] - 1) + 1;
            assert!(
                2 * padding[a] <= extent,
                "{name}: padding {padding:?} is more than half of windows of {kernel:?}, dilation {dilation:?}"
            );
            let padded = image[a] + 2 * padding[a];
            assert!(
                extent <= padded,
                "{name}: windows of {kernel:?}, dilation {dilation:?}, in {image:?} padded by {padding:?}"
            );
            (padded - extent) / stride[a] + 1
        });
        Self { kernel, stride, padding, dilation, image, output }
    }

    /// Pixels of an input plane.
    pub(crate) fn pixels(&self) -> usize {
        self.image[0] * self.image[1]
    }

    /// Pixels of an output plane.
    pub(crate) fn positions(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Values of a row with its padding.
    pub(crate) fn padded_width(&self) -> usize {
        self.image[1] + 2 * self.padding[1]
    }

    /// Which taps of a window lie on the image along an axis.
    pub(crate) fn taps(&self, axis: usize, window: usize) -> Range<usize> {
        let (start, step) = (window * self.stride[axis], self.dilation[axis]);
        let first = self.padding[axis].saturating_sub(start).div_ceil(step);
        let end = (self.padding[axis] + self.image[axis]).saturating_sub(start).div_ceil(step);
        first..end.min(self.kernel[axis]).max(first)
    }

    /// The pixel under a tap that lies on the image, along an axis.
    pub(crate) fn pixel(&self, axis: usize, window: usize, tap: usize) -> usize {
        window * self.stride[axis] + tap * self.dilation[axis] - self.padding[axis]
    }

    /// The pixels of the image's rows under the windows of an output row, in order.
    pub(crate) fn rows(self, row: usize) -> impl Iterator<Item = Range<usize>> {
        self.taps(0, row).map(move |tap| {
            let start = self.pixel(0, row, tap) * self.image[1];
            start..start + self.image[1]
        })
    }
}
