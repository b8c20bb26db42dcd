//! The gradient by the weights: for every channel and tap, the sum over pixels of output gradient times input.

#![expect(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "an iterator's closure that is not inlined keeps vectors in memory, not in registers"
)]

use pulp::{Simd, WithSimd};

use super::{
    Sizes,
    layout::{Layout, Pixels, Scratch, copy},
};
use crate::simd;

/// Taps up to which vectors of pixels beat vectors of channels, whose gradient must be transposed first.
const FEW_TAPS: usize = 16;

/// Channels up to which they do, since a vector of channels would be half empty.
const FEW_CHANNELS: usize = 8;

/// The multiple that a group's channels are padded to.
const LANES: usize = simd::WIDEST;

/// Values of transposed gradient worked on at a time: what the first cache holds.
const TRANSPOSED: usize = 8192;

pub(super) struct WeightGradient {
    sizes: Sizes,
    layout: Layout,
    /// The tap's place in the input, for each weight of an output channel; none if only the bias is wanted.
    offsets: Vec<usize>,
    /// Vectors along pixels, not channels.
    along_pixels: bool,
}

/// Sums over some images, and room to work in.
pub(super) struct Sums {
    /// `[channel][tap]` along pixels, else `[group][tap][channel, padded]`.
    weight: Vec<f32>,
    /// One value per channel, padded as there; of many pixels, hence in float64.
    bias: Vec<f64>,
    scratch: Scratch,
    gradient: Vec<f32>,
}

impl WeightGradient {
    pub(super) fn new(sizes: &Sizes, wants_weight: bool) -> Self {
        let (layout, mut offsets) = sizes.input_layout();
        let along_pixels = offsets.len() <= FEW_TAPS || sizes.group_outputs() <= FEW_CHANNELS;
        if !wants_weight {
            offsets.clear();
        }
        Self { sizes: *sizes, layout, offsets, along_pixels }
    }

    /// Channels per group, padded.
    fn pitch(&self) -> usize {
        let channels = self.sizes.group_outputs();
        if self.along_pixels { channels } else { channels.next_multiple_of(LANES) }
    }

    pub(super) fn sums(&self) -> Sums {
        let channels = self.sizes.options.groups * self.pitch();
        Sums {
            weight: vec![0.0; channels * self.offsets.len()],
            bias: vec![0.0; channels],
            scratch: Scratch::new(self.layout),
            gradient: Vec::new(),
        }
    }

    /// Adds one image: its input, the gradient of its output, and the output where a `ReLU` followed.
    pub(super) fn add(&self, input: &[f32], grad: &[f32], mask: Option<&[f32]>, sums: &mut Sums) {
        let source = sums.scratch.source(input, None);
        let (weight, bias, gradient) = (&mut sums.weight, &mut sums.bias, &mut sums.gradient);
        simd::dispatch(Add { of: self, source, grad, mask, weight, bias, gradient });
    }

    /// The sum of all parts, in their order, as `[oc, taps]` and `[oc]`.
    pub(super) fn total(&self, parts: impl Iterator<Item = Sums>) -> (Vec<f32>, Vec<f32>) {
        let Sums { mut weight, mut bias, .. } = self.sums();
        for part in parts {
            weight.iter_mut().zip(&part.weight).for_each(|(sum, value)| *sum += value);
            bias.iter_mut().zip(&part.bias).for_each(|(sum, value)| *sum += value);
        }
        if self.along_pixels {
            return (weight, bias.into_iter().map(|sum| sum as f32).collect());
        }
        self.arranged(&weight, &bias)
    }

    /// The gradient of one image alone, as `[oc, taps]` and `[oc]`.
    pub(super) fn of_one(
        &self,
        input: &[f32],
        grad: &[f32],
        mask: Option<&[f32]>,
        sums: &mut Sums,
        (weight, bias): (&mut [f32], &mut [f32]),
    ) {
        sums.weight.fill(0.0);
        sums.bias.fill(0.0);
        self.add(input, grad, mask, sums);
        if self.along_pixels {
            weight.copy_from_slice(&sums.weight);
            bias.iter_mut().zip(&sums.bias).for_each(|(bias, sum)| *bias = *sum as f32);
        } else {
            let (of_weight, of_bias) = self.arranged(&sums.weight, &sums.bias);
            weight.copy_from_slice(&of_weight);
            bias.copy_from_slice(&of_bias);
        }
    }

    /// Sums along channels as `[oc, taps]` and `[oc]`.
    fn arranged(&self, weight: &[f32], bias: &[f64]) -> (Vec<f32>, Vec<f32>) {
        let (taps, pitch, channels) = (self.offsets.len(), self.pitch(), self.sizes.group_outputs());
        let place = |channel: usize| (channel / channels, channel % channels);
        let outputs = 0..self.sizes.outputs;
        let row = |output: usize| {
            let (group, channel) = place(output);
            (0..taps).map(move |tap| weight[(group * taps + tap) * pitch + channel])
        };
        let sum = |output: usize| bias[place(output).0 * pitch + place(output).1] as f32;
        let bias = outputs.clone().map(sum).collect();
        (outputs.flat_map(row).collect(), bias)
    }
}

struct Add<'a> {
    of: &'a WeightGradient,
    source: &'a [f32],
    grad: &'a [f32],
    mask: Option<&'a [f32]>,
    weight: &'a mut [f32],
    bias: &'a mut [f64],
    gradient: &'a mut Vec<f32>,
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for group in 0..self.of.sizes.options.groups {
            if self.of.along_pixels {
                self.along_pixels(simd, group)
            } else {
                self.along_channels(simd, group)
            }
        }
    }
}

impl Add<'_> {
    fn group_source(&self, group: usize) -> usize {
        group * self.of.sizes.group_inputs * self.of.layout.channel()
    }

    #[inline(always)]
    fn along_pixels<S: Simd>(&mut self, simd: S, group: usize) {
        let channels = self.of.sizes.group_outputs();
        let (mut first, end) = (group * channels, (group + 1) * channels);
        while first < end {
            if end - first >= 2 && S::REGISTER_COUNT >= 32 {
                self.pixels::<S, 2>(simd, group, first);
                first += 2;
            } else {
                self.pixels::<S, 1>(simd, group, first);
                first += 1;
            }
        }
    }

    /// `M` channels from `first` on: the gradient's rows as far apart as the input's, with zeros between.
    #[inline(always)]
    fn pixels<S: Simd, const M: usize>(&mut self, simd: S, group: usize, first: usize) {
        let ([rows, columns], pitch) = (self.of.sizes.output, self.of.layout.width);
        let positions = (rows - 1) * pitch + columns;
        self.gradient.resize(2 * positions, 0.0);
        for m in 0..M {
            for y in 0..rows {
                let row = ((first + m) * rows + y) * columns;
                let (grad, mask) =
                    (&self.grad[row..][..columns], self.mask.map(|mask| &mask[row..][..columns]));
                copy(simd, &mut self.gradient[m * positions + y * pitch..][..columns], grad, mask, 0, 1);
            }
        }
        let gradients: [&[f32]; M] = std::array::from_fn(|m| &self.gradient[m * positions..][..positions]);
        for (gradient, bias) in gradients.iter().zip(&mut self.bias[first..]) {
            *bias += f64::from(simd::sum(simd, [gradient], |[value]| value));
        }
        let (source, taps) = (&self.source[self.group_source(group)..], self.of.offsets.len());
        let sums = &mut self.weight[first * taps..];
        let mut tap = 0;
        while tap < taps {
            let offsets = &self.of.offsets[tap..];
            tap += match offsets.len() {
                9.. => dot::<S, M, 9>(simd, gradients, source, offsets, tap, taps, sums),
                3.. => dot::<S, M, 3>(simd, gradients, source, offsets, tap, taps, sums),
                _ => dot::<S, M, 1>(simd, gradients, source, offsets, tap, taps, sums),
            };
        }
    }

    #[inline(always)]
    fn along_channels<S: Simd>(&mut self, simd: S, group: usize) {
        let ([rows, columns], pitch, taps) = (self.of.sizes.output, self.of.pitch(), self.of.offsets.len());
        let block = (TRANSPOSED / (columns * pitch)).clamp(1, rows);
        self.gradient.resize(block * columns * pitch, 0.0);
        for y in (0..rows).step_by(block) {
            let lines = block.min(rows - y);
            self.transpose(simd, group, y * columns, lines * columns);
            let gradient = &self.gradient[..lines * columns * pitch];
            let bias = self.bias[group * pitch..].iter_mut();
            bias.zip(simd::sum_rows(gradient, pitch)).for_each(|(sum, value)| *sum += f64::from(value));
            let source = &self.source[self.group_source(group) + y * self.of.layout.width..];
            let sums = &mut self.weight[group * taps * pitch..][..taps * pitch];
            let pass = Pass { gradient, pitch, columns, source, width: self.of.layout.width };
            let mut tap = 0;
            while tap < taps {
                let offsets = &self.of.offsets[tap..];
                let sums = &mut sums[tap * pitch..];
                tap += match offsets.len() {
                    6.. => pass.taps::<S, 6>(simd, offsets, sums),
                    3.. => pass.taps::<S, 3>(simd, offsets, sums),
                    _ => pass.taps::<S, 1>(simd, offsets, sums),
                };
            }
        }
    }

    /// `count` pixels from `first` on of one group's masked gradient as `[pixel][channel]`.
    #[inline(always)]
    fn transpose<S: Simd>(&mut self, simd: S, group: usize, first: usize, count: usize) {
        let ([rows, columns], pitch, channels) =
            (self.of.sizes.output, self.of.pitch(), self.of.sizes.group_outputs());
        let area = rows * columns;
        let first = group * channels * area + first;
        Pixels { image: self.grad, mask: self.mask, first, distance: area, channels, count }.transpose(
            simd,
            self.gradient,
            pitch,
        );
    }
}

/// Adds the products of `M` gradients with the input at `T` taps to `sums[channel · taps + tap]`; `T`.
#[inline(always)]
fn dot<S: Simd, const M: usize, const T: usize>(
    simd: S,
    gradients: [&[f32]; M],
    source: &[f32],
    offsets: &[usize],
    tap: usize,
    taps: usize,
    sums: &mut [f32],
) -> usize {
    let positions = gradients[0].len();
    // Plain loops: a closure that is not inlined would keep the sums in memory, not in registers.
    let vectors = positions / S::F32_LANES;
    let whole = vectors * S::F32_LANES;
    let mut inputs: [&[S::f32s]; T] = [&[]; T];
    let mut products = [[simd.splat_f32s(0.0); T]; M];
    for t in 0..T {
        let input = &source[offsets[t]..offsets[t] + positions];
        inputs[t] = S::as_simd_f32s(&input[..whole]).0;
        let rest = simd.partial_load_f32s(&input[whole..]);
        for m in 0..M {
            products[m][t] = simd.mul_f32s(simd.partial_load_f32s(&gradients[m][whole..]), rest);
        }
    }
    let mut gradient: [&[S::f32s]; M] = [&[]; M];
    for m in 0..M {
        gradient[m] = S::as_simd_f32s(&gradients[m][..whole]).0;
    }
    let gradients = gradient;
    for i in 0..vectors {
        for t in 0..T {
            for m in 0..M {
                products[m][t] = simd.mul_add_e_f32s(gradients[m][i], inputs[t][i], products[m][t]);
            }
        }
    }
    for m in 0..M {
        for t in 0..T {
            sums[m * taps + tap + t] += simd.reduce_sum_f32s(products[m][t]);
        }
    }
    T
}

/// Some rows of the gradient, `[pixel][channel]`, and the input from their first row on.
struct Pass<'a> {
    gradient: &'a [f32],
    pitch: usize,
    columns: usize,
    source: &'a [f32],
    width: usize,
}

impl Pass<'_> {
    /// The first `T` taps, all channels; `T`.
    #[inline(always)]
    fn taps<S: Simd, const T: usize>(&self, simd: S, offsets: &[usize], sums: &mut [f32]) -> usize {
        let vectors = self.pitch / S::F32_LANES;
        let mut places = [0; T];
        places.copy_from_slice(&offsets[..T]);
        let offsets = places;
        let mut first = 0;
        while first < vectors {
            first += match vectors - first {
                4.. if S::REGISTER_COUNT >= 32 => self.outer::<S, T, 4>(simd, offsets, first, sums),
                2.. => self.outer::<S, T, 2>(simd, offsets, first, sums),
                _ => self.outer::<S, T, 1>(simd, offsets, first, sums),
            };
        }
        T
    }

    /// `T` taps, `V` vectors of channels from vector `first` on, in registers; `V`.
    #[inline(always)]
    fn outer<S: Simd, const T: usize, const V: usize>(
        &self,
        simd: S,
        offsets: [usize; T],
        first: usize,
        sums: &mut [f32],
    ) -> usize {
        // Plain loops: a closure that is not inlined would keep the sums in memory, not in registers.
        let (from, to) = (first * S::F32_LANES, (first + V) * S::F32_LANES);
        let mut products = [[simd.splat_f32s(0.0); V]; T];
        for t in 0..T {
            let (sums, _) = S::as_simd_f32s(&sums[t * self.pitch + from..t * self.pitch + to]);
            for v in 0..V {
                products[t][v] = sums[v];
            }
        }
        let row = self.columns * self.pitch;
        for y in 0..self.gradient.len() / row {
            let gradient = &self.gradient[y * row..(y + 1) * row];
            let mut inputs = [&self.source[..0]; T];
            for t in 0..T {
                let start = offsets[t] + y * self.width;
                inputs[t] = &self.source[start..start + self.columns];
            }
            for x in 0..self.columns {
                let pixel = x * self.pitch;
                let (vectors, _) = S::as_simd_f32s(&gradient[pixel + from..pixel + to]);
                let mut gradient = [simd.splat_f32s(0.0); V];
                for v in 0..V {
                    gradient[v] = vectors[v];
                }
                for t in 0..T {
                    let input = simd.splat_f32s(inputs[t][x]);
                    for v in 0..V {
                        products[t][v] = simd.mul_add_e_f32s(gradient[v], input, products[t][v]);
                    }
                }
            }
        }
        for t in 0..T {
            let (sums, _) = S::as_mut_simd_f32s(&mut sums[t * self.pitch + from..t * self.pitch + to]);
            for v in 0..V {
                sums[v] = products[t][v];
            }
        }
        V
    }
}
