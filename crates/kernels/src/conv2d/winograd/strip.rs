//! Some rows of an image with the channels of each pixel side by side.

use pulp::{Simd, WithSimd};

use super::super::layout::Pixels;
use crate::simd::{self, WIDEST};

/// A window onto the planes of an image: `pixels` rows and columns from `first` on, which may lie outside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strip {
    /// Size of a plane, and how many there are.
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    pub(super) first: [isize; 2],
    pub(super) pixels: [usize; 2],
    /// Values from one pixel to the next, a multiple of the widest vector.
    pub(super) pitch: usize,
}

impl Strip {
    pub(super) fn length(&self) -> usize {
        self.pixels[0] * self.pixels[1] * self.pitch
    }

    /// The rows or columns of the window that lie inside the image.
    fn inside(&self, axis: usize) -> std::ops::Range<usize> {
        let place = |pixel: usize| (pixel.cast_signed() - self.first[axis]).max(0).cast_unsigned();
        place(0)..place(self.size[axis]).min(self.pixels[axis])
    }

    /// Where row `y` of the window begins in the plane of a channel, at its first column inside.
    fn line(&self, channel: usize, y: usize) -> usize {
        let place = |axis: usize, pixel: usize| (self.first[axis] + pixel.cast_signed()).cast_unsigned();
        (channel * self.size[0] + place(0, y)) * self.size[1] + place(1, self.inside(1).start)
    }

    /// `values[pixel][channel]` of the window: zero outside the image, and where `mask` is at most zero.
    pub(super) fn read(self, image: &[f32], mask: Option<&[f32]>, values: &mut Vec<f32>) {
        values.resize(self.length(), 0.0);
        values.fill(0.0);
        simd::dispatch(Read { strip: self, image, mask, values });
    }

    /// The window into the image, without what lies outside.
    pub(super) fn write(self, values: &[f32], image: &mut [f32]) {
        simd::dispatch(Write { strip: self, values, image });
    }
}

struct Write<'a> {
    strip: Strip,
    values: &'a [f32],
    image: &'a mut [f32],
}

impl WithSimd for Write<'_> {
    type Output = ();

    /// Square by square, through one that stays in the first cache.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { strip, values, image } = self;
        let columns = strip.inside(1);
        let mut square = [[0.0; WIDEST]; WIDEST];
        for y in strip.inside(0) {
            let row = &values[(y * strip.pixels[1] + columns.start) * strip.pitch..];
            for block in (0..strip.channels).step_by(WIDEST) {
                let width = WIDEST.min(strip.channels - block);
                for start in (0..columns.len()).step_by(WIDEST) {
                    let length = WIDEST.min(columns.len() - start);
                    for pixel in 0..length {
                        let from = &row[(start + pixel) * strip.pitch + block..][..WIDEST];
                        for channel in 0..WIDEST {
                            square[channel][pixel] = from[channel];
                        }
                    }
                    for (channel, values) in square.iter().enumerate().take(width) {
                        let line = strip.line(block + channel, y) + start;
                        image[line..][..length].copy_from_slice(&values[..length]);
                    }
                }
            }
        }
    }
}

struct Read<'a> {
    strip: Strip,
    image: &'a [f32],
    mask: Option<&'a [f32]>,
    values: &'a mut [f32],
}

impl WithSimd for Read<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { strip, image, mask, values } = self;
        let columns = strip.inside(1);
        for y in strip.inside(0) {
            let target = &mut values[(y * strip.pixels[1] + columns.start) * strip.pitch..];
            let (first, distance) = (strip.line(0, y), strip.size[0] * strip.size[1]);
            Pixels { image, mask, first, distance, channels: strip.channels, count: columns.len() }
                .transpose(simd, target, strip.pitch);
        }
    }
}
