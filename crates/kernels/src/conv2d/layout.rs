//! An image laid out so that a tap of a kernel is a constant offset.

use pulp::{Simd, WithSimd};

use crate::simd::{self, Lanes, WIDEST};

/// Zeros behind a scratch image, so that the widest tile may read past its last pixel.
const SPARE: usize = 128;

/// A distance along both axes as whole strides, rounded down, and the pixels left over.
pub(super) fn shift_and_phase(distance: [isize; 2], stride: [usize; 2]) -> ([isize; 2], [usize; 2]) {
    let along = |axis: usize| {
        let (distance, stride) = (distance[axis], stride[axis].cast_signed());
        (distance.div_euclid(stride), distance.rem_euclid(stride).cast_unsigned())
    };
    let [(y, phase_y), (x, phase_x)] = [along(0), along(1)];
    ([y, x], [phase_y, phase_x])
}

/// Planes of one image, one per channel and phase of the stride, whose rows are `width` apart: output pixel `(y, x)`
/// reads tap `t` of its channel at `offset(t) + y·width + x`.
///
/// The zeros right of a row are also those left of the next one. Positions with `x` beyond the output are computed and
/// dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    size: [usize; 2],
    step: [usize; 2],
    /// Rows above the image, and zeros before its first row.
    top: usize,
    lead: usize,
    plane: usize,
    pub(super) width: usize,
    /// Whether an image lies so already.
    plain: bool,
}

impl Layout {
    /// For planes of `size` read every `step` pixels, by `outputs` at the given shifts.
    pub(super) fn new(
        size: [usize; 2],
        step: [usize; 2],
        outputs: [usize; 2],
        shifts: impl Iterator<Item = [isize; 2]> + Clone,
    ) -> Self {
        let range = |axis: usize| {
            let shifts = shifts.clone().map(|shift| shift[axis]);
            (shifts.clone().min().unwrap_or(0), shifts.max().unwrap_or(0))
        };
        let cells = [0, 1].map(|a| size[a].div_ceil(step[a]));
        // The last cell that is read, from the first of the image, plus one.
        let end = [0, 1].map(|a| (outputs[a].cast_signed() + range(a).1).max(0).cast_unsigned());
        let [top, lead] = [0, 1].map(|a| (-range(a).0).max(0).cast_unsigned());
        let width = (cells[1] + lead.max(end[1].saturating_sub(cells[1]))).max(outputs[1]);
        let plane = lead + (top + cells[0].max(end[0])) * width;
        let positions = outputs[0].saturating_sub(1) * width + outputs[1];
        let plain =
            step == [1, 1] && width == size[1] && plane == size[0] * size[1] && positions >= simd::WIDEST;
        Self { size, step, top, lead, plane, width, plain }
    }

    /// The same, with zeros behind the image in any case, for outputs of more sizes than one.
    pub(super) fn copied(self) -> Self {
        Self { plain: false, ..self }
    }

    /// Values of one channel.
    pub(super) fn channel(&self) -> usize {
        self.plane * self.step[0] * self.step[1]
    }

    pub(super) fn offset(&self, channel: usize, phase: [usize; 2], shift: [isize; 2]) -> usize {
        let plane = (channel * self.step[0] + phase[0]) * self.step[1] + phase[1];
        let row = self.top.cast_signed() + shift[0];
        let cell = self.lead.cast_signed() + row * self.width.cast_signed() + shift[1];
        plane * self.plane + cell.cast_unsigned()
    }
}

/// Room for one image.
#[derive(Debug)]
pub(super) struct Scratch {
    layout: Layout,
    values: Vec<f32>,
}

impl Scratch {
    pub(super) fn new(layout: Layout) -> Self {
        Self { layout, values: Vec::new() }
    }

    /// `image` laid out, and zero where `mask` is at most zero.
    pub(super) fn source<'a>(&'a mut self, image: &'a [f32], mask: Option<&[f32]>) -> &'a [f32] {
        let [height, width] = self.layout.size;
        if mask.is_none() && self.layout.plain {
            return image;
        }
        let channels = image.len() / (height * width).max(1);
        // Everything but the pixels stays zero from image to image.
        self.values.resize(channels * self.layout.channel() + SPARE, 0.0);
        simd::dispatch(Fill { layout: self.layout, values: &mut self.values, image, mask, channels });
        &self.values
    }
}

/// Copies the pixels of an image to their places.
struct Fill<'a> {
    layout: Layout,
    values: &'a mut [f32],
    image: &'a [f32],
    mask: Option<&'a [f32]>,
    channels: usize,
}

impl WithSimd for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layout, values, image, mask, channels } = self;
        let Layout { size: [height, width], step, .. } = layout;
        for channel in 0..channels {
            for y in 0..height {
                let row = (channel * height + y) * width..(channel * height + y + 1) * width;
                let (pixels, mask) = (&image[row.clone()], mask.map(|mask| &mask[row]));
                for x in 0..step[1].min(width) {
                    let phase = [y % step[0], x];
                    let start = layout.offset(channel, phase, [(y / step[0]).cast_signed(), 0]);
                    let count = (width - x).div_ceil(step[1]);
                    copy(simd, &mut values[start..][..count], pixels, mask, x, step[1]);
                }
            }
        }
    }
}

/// Every `step`th pixel from `first` on, zero where `mask` is at most zero.
#[inline(always)]
pub(super) fn copy<S: Simd>(
    simd: S,
    target: &mut [f32],
    pixels: &[f32],
    mask: Option<&[f32]>,
    first: usize,
    step: usize,
) {
    match (mask, step) {
        (None, 1) => target.copy_from_slice(pixels),
        (Some(mask), 1) => {
            simd::Update { f: Masked, target, others: [pixels, mask] }.with_simd(simd);
        }
        (None, _) => {
            let pixels = pixels[first..].iter().step_by(step);
            target.iter_mut().zip(pixels).for_each(|(target, pixel)| *target = *pixel);
        }
        (Some(mask), _) => {
            let pixels = pixels[first..].iter().zip(&mask[first..]).step_by(step);
            let pixels = pixels.map(|(pixel, mask)| if *mask <= 0.0 { 0.0 } else { *pixel });
            target.iter_mut().zip(pixels).for_each(|(target, pixel)| *target = pixel);
        }
    }
}

/// Pixels of some planes, which lie `distance` apart, from `first` on in the first of them.
pub(super) struct Pixels<'a> {
    pub(super) image: &'a [f32],
    /// As in [`copy`].
    pub(super) mask: Option<&'a [f32]>,
    pub(super) first: usize,
    pub(super) distance: usize,
    pub(super) channels: usize,
    pub(super) count: usize,
}

impl Pixels<'_> {
    /// The channels of each pixel side by side, pixels `pitch` apart.
    #[inline(always)]
    pub(super) fn transpose<S: Simd>(self, simd: S, target: &mut [f32], pitch: usize) {
        let mut tile = [[0.0; WIDEST]; WIDEST];
        for block in (0..self.channels).step_by(WIDEST) {
            let width = WIDEST.min(self.channels - block);
            for start in (0..self.count).step_by(WIDEST) {
                let length = WIDEST.min(self.count - start);
                for (channel, line) in tile.iter_mut().enumerate().take(width) {
                    let from = self.first + (block + channel) * self.distance + start;
                    let mask = self.mask.map(|mask| &mask[from..][..length]);
                    copy(simd, &mut line[..length], &self.image[from..][..length], mask, 0, 1);
                }
                for pixel in 0..length {
                    let target = target[(start + pixel) * pitch + block..][..width].iter_mut();
                    target.zip(&tile).for_each(|(target, line)| *target = line[pixel]);
                }
            }
        }
    }
}

/// Zero where the mask is at most zero, else the pixel: a NaN's gradient passes.
#[derive(Clone, Copy)]
struct Masked;

impl Lanes<2> for Masked {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, _: S::f32s, [pixel, mask]: [S::f32s; 2]) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        simd.select_f32s(simd.less_than_or_equal_f32s(mask, zero), zero, pixel)
    }
}
