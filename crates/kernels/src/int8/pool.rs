//! Windows that lie side by side: their largest bytes and their means.

use super::{
    Path,
    path::Loops,
    vectors::{Vectors, clamp, low_byte},
};

/// A picture, and the windows that it is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolShape {
    /// Rows of the picture.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Bytes of a pixel.
    pub channels: usize,
    /// Height and width of a window, and as many pixels between two.
    pub size: [usize; 2],
}

impl PoolShape {
    /// Height and width of the output, `height / size` and `width / size` rounded down: what is left over is cut off.
    ///
    /// # Panics
    ///
    /// Where `size` is zero or larger than the picture.
    #[must_use]
    pub fn output(&self) -> [usize; 2] {
        let (image, size) = ([self.height, self.width], self.size);
        [0, 1].map(|a| {
            assert!(
                size[a] > 0 && size[a] <= image[a],
                "windows of {size:?} pixels in pictures of {image:?}"
            );
            image[a] / size[a]
        })
    }

    fn check(&self, input: &[u8], output: &[u8]) -> [usize; 2] {
        let [height, width] = self.output();
        assert!(
            input.len() == self.height * self.width * self.channels
                && output.len() == height * width * self.channels,
            "{} bytes to {}, for {self:?}",
            input.len(),
            output.len()
        );
        [height, width]
    }

    /// The pixels of the window `column` of windows in row `row`, in its own row `y`.
    #[inline(always)]
    fn line<'a>(&self, input: &'a [u8], [row, column]: [usize; 2], y: usize) -> &'a [u8] {
        let [height, width] = self.size;
        let first = (row * height + y) * self.width + column * width;
        &input[first * self.channels..][..width * self.channels]
    }
}

/// The largest byte of each channel in each window of a picture: `[height, width, channels]` to `[h, w, channels]`, `h` and
/// `w` those of [`PoolShape::output`].
///
/// # Panics
///
/// Where the lengths do not fit the shape, a window is larger than the picture, or the processor lacks the path.
pub fn max_pool2d(path: Path, input: &[u8], shape: &PoolShape, output: &mut [u8]) {
    let windows = shape.check(input, output);
    path.check().run(Maxima { input, shape, windows, output });
}

/// The mean of each channel in each window of a picture, the sum times `1 / n` in float32, to the nearest byte and to the
/// even one of two that are as near: `[height, width, channels]` to `[h, w, channels]`, `h` and `w` those of
/// [`PoolShape::output`].
///
/// # Panics
///
/// Where the lengths do not fit the shape, a window is larger than the picture or has more than 2²⁴ pixels, or the
/// processor lacks the path.
pub fn avg_pool2d(path: Path, input: &[u8], shape: &PoolShape, output: &mut [u8]) {
    let windows = shape.check(input, output);
    let pixels = shape.size[0] * shape.size[1];
    assert!(pixels <= 1 << 24, "windows of {pixels} pixels, whose sums may not fit 32 bits");
    path.check().run(Means { input, shape, windows, output, factor: 1.0 / pixels as f32 });
}

struct Maxima<'a> {
    input: &'a [u8],
    shape: &'a PoolShape,
    windows: [usize; 2],
    output: &'a mut [u8],
}

impl Loops for Maxima<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vectors>(self, _: V) {
        let Self { input, shape, windows: [rows, columns], output } = self;
        let channels = shape.channels;
        for row in 0..rows {
            for column in 0..columns {
                let output = &mut output[(row * columns + column) * channels..][..channels];
                for y in 0..shape.size[0] {
                    let line = shape.line(input, [row, column], y);
                    for x in 0..shape.size[1] {
                        let pixel = &line[x * channels..][..channels];
                        if y + x == 0 {
                            output.copy_from_slice(pixel);
                            continue;
                        }
                        for i in 0..channels {
                            output[i] = if pixel[i] > output[i] { pixel[i] } else { output[i] };
                        }
                    }
                }
            }
        }
    }
}

struct Means<'a> {
    input: &'a [u8],
    shape: &'a PoolShape,
    windows: [usize; 2],
    output: &'a mut [u8],
    factor: f32,
}

/// Channels that are summed side by side.
const BLOCK: usize = 64;

impl Loops for Means<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vectors>(self, _: V) {
        let Self { input, shape, windows: [rows, columns], output, factor } = self;
        let channels = shape.channels;
        for row in 0..rows {
            for column in 0..columns {
                let output = &mut output[(row * columns + column) * channels..][..channels];
                let mut first = 0;
                while first < channels {
                    let count = BLOCK.min(channels - first);
                    let mut sums = [0u32; BLOCK];
                    for y in 0..shape.size[0] {
                        let line = shape.line(input, [row, column], y);
                        for x in 0..shape.size[1] {
                            let pixel = &line[x * channels + first..][..count];
                            for i in 0..count {
                                sums[i] += u32::from(pixel[i]);
                            }
                        }
                    }
                    let output = &mut output[first..first + count];
                    for i in 0..count {
                        output[i] = low_byte(clamp(sums[i] as f32 * factor, 0.0, 255.0));
                    }
                    first += count;
                }
            }
        }
    }
}
