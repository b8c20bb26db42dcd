//! Kernels of 3×3 and stride 1 in tiles of 4×4 outputs: Winograd's minimal filtering F(4×4, 3×3), after Lavin and Gray,
//! "Fast Algorithms for Convolutional Neural Networks" (2016, arXiv:1509.09308).
//!
//! A tile of outputs is `Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A` for the 3×3 weights `g` and the 6×6 inputs `d`: 36 products in place
//! of 144, and over the channels each of the 36 places is a product of matrices. The gradients are the adjoints: with
//! `t = A dy Aᵀ`, that of the input is `B[(G g Gᵀ) ⊙ t]Bᵀ` and that of the weights `Gᵀ[(Bᵀ d B) ⊙ t]G`.
//!
//! On the way a difference of infinities may arise that a direct sum does not have, and a NaN reaches all of its tile:
//! where a result is not finite nothing is returned, and the caller computes it directly.

mod strip;
mod transform;

use std::ops::Range;

use rayon::prelude::*;

use super::{Conv2d, FEW_IMAGES, Gradients, Sizes};
use crate::{
    flex,
    gemm::{View, product},
    simd,
};
use strip::Strip;
use transform::{Tiles, Transform, WeightsAdjoint};

/// Outputs of a tile along an axis.
const TILE: usize = 4;

/// Inputs of a tile along an axis; two neighbours share `SPAN - TILE` of them.
const SPAN: usize = 6;

/// Places of a tile.
const PLACES: usize = SPAN * SPAN;

/// Channels from which on the tiles save more than they cost.
const CHANNELS: usize = 16;

/// Values of transformed tiles worked on at a time: what the second cache holds beside the weights.
const BLOCK: usize = 1 << 17;

/// Weights from which on the sums of many parts of a batch would take too much memory.
const LARGE: usize = 1 << 18;

pub(super) struct Winograd {
    sizes: Sizes,
    /// Tiles along both axes.
    tiles: [usize; 2],
    /// Rows of tiles worked on at a time.
    rows: usize,
    /// Values from one pixel's channels to the next one's, of input and output.
    inputs: usize,
    outputs: usize,
}

/// Sums over some images.
struct Sums {
    /// `[place][input channel][output channel, padded]`.
    weight: Vec<f32>,
    /// Of many pixels, hence in float64.
    bias: Vec<f64>,
}

/// Buffers of one thread: strips of pixels before and after, and their tiles.
#[derive(Default)]
struct Room {
    input: Vec<f32>,
    input_tiles: Vec<f32>,
    output: Vec<f32>,
    output_tiles: Vec<f32>,
}

impl Winograd {
    /// None where a direct convolution is faster, or the only way.
    pub(super) fn new(sizes: &Sizes) -> Option<Self> {
        let Conv2d { stride, dilation, groups, .. } = sizes.options;
        let fits = sizes.kernel == [3, 3] && stride == [1, 1] && dilation == [1, 1] && groups == 1;
        let tiles = sizes.output.map(|size| size.div_ceil(TILE));
        let area = |[height, width]: [usize; 2]| height * width;
        let pays = sizes.inputs.min(sizes.outputs) >= CHANNELS
            && sizes.images >= FEW_IMAGES
            && 5 * PLACES * area(tiles) <= 4 * 9 * area(sizes.output);
        if !fits || !pays {
            return None;
        }
        let [inputs, outputs] = [sizes.inputs, sizes.outputs].map(pitch);
        let rows = BLOCK / (PLACES * tiles[1] * (inputs + outputs));
        // Blocks of about one size.
        let blocks = tiles[0].div_ceil(rows.max(1));
        Some(Self { sizes: *sizes, tiles, rows: tiles[0].div_ceil(blocks), inputs, outputs })
    }

    /// The output, followed by a `ReLU` if so wanted.
    pub(super) fn forward(
        &self,
        input: &[f32],
        weight: &[f32],
        bias: &[f32],
        relu: bool,
    ) -> Option<Vec<f32>> {
        let (before, after) = self.sizes.lengths();
        let weight = self.weights(weight, false);
        let mut padded = vec![0.0; self.outputs];
        padded[..bias.len()].copy_from_slice(bias);
        let mut output = flex::buffer(self.sizes.images * after);
        let part = self.part();
        let finite = output.par_chunks_mut(part * after).enumerate().all(|(index, output)| {
            let mut room = Room::default();
            (index * part..).zip(output.chunks_exact_mut(after)).all(|(image, output)| {
                let input = &input[image * before..][..before];
                self.blocks().all(|block| {
                    self.read_input(&block, input, &mut room);
                    let transform = Transform::Output { bias: &padded, relu };
                    self.write_output(&block, &weight, transform, &mut room, output)
                })
            })
        });
        finite.then_some(output)
    }

    /// The gradients that are `wanted`, given that of the output, which is zero where `mask` is at most zero.
    pub(super) fn backward(
        &self,
        input: &[f32],
        weight: &[f32],
        grad: &[f32],
        mask: Option<&[f32]>,
        wanted: [bool; 3],
    ) -> Option<Gradients> {
        let (before, after) = self.sizes.lengths();
        let turned = if wanted[0] { self.weights(weight, true) } else { Vec::new() };
        let part = self.part();
        let run = |index: usize, mut by_input: &mut [f32]| {
            let (mut room, mut carried) = (Room::default(), Vec::new());
            let mut sums = self.sums(wanted[1]);
            let mut finite = true;
            for image in index * part..self.sizes.images.min((index + 1) * part) {
                let input = &input[image * before..][..before];
                let grad = &grad[image * after..][..after];
                let mask = mask.map(|mask| &mask[image * after..][..after]);
                let (target, rest) = by_input.split_at_mut(if wanted[0] { before } else { 0 });
                carried.clear();
                for block in self.blocks() {
                    self.read_gradient(&block, grad, mask, &mut room);
                    let sum = simd::sum_rows(&room.output, self.outputs);
                    sums.bias.iter_mut().zip(sum).for_each(|(sum, value)| *sum += f64::from(value));
                    if wanted[1] {
                        self.read_input(&block, input, &mut room);
                        self.add_products(&block, &room, &mut sums.weight);
                    }
                    if wanted[0] {
                        finite &= self.write_gradient(&block, &turned, &mut room, &mut carried, target);
                    }
                }
                by_input = rest;
            }
            (sums, finite)
        };
        let parts = self.sizes.images.div_ceil(part);
        let mut by_input = flex::buffer(if wanted[0] { self.sizes.images * before } else { 0 });
        let sums: Vec<_> = if wanted[0] {
            let parts = by_input.par_chunks_mut(part * before).enumerate();
            parts.map(|(index, by_input)| run(index, by_input)).collect()
        } else {
            (0..parts).into_par_iter().map(|index| run(index, &mut [])).collect()
        };
        let finite = sums.iter().all(|(_, finite)| *finite);
        let (by_weight, bias) = self.total(sums.into_iter().map(|(sums, _)| sums), wanted[1]);
        let finite = finite && by_weight.iter().all(|value| value.is_finite());
        finite.then_some((by_input, by_weight, bias))
    }

    /// The gradients by weight and bias of each image alone, `[n, weights]` and `[n, oc]`, written over `weights` and
    /// `biases`. Whether they are finite.
    pub(super) fn of_each(
        &self,
        input: &[f32],
        grad: &[f32],
        mask: Option<&[f32]>,
        weights: &mut [f32],
        biases: &mut [f32],
    ) -> bool {
        let Sizes { inputs, outputs, .. } = self.sizes;
        let (before, after) = self.sizes.lengths();
        let length = outputs * inputs * 9;
        let part = self.part();
        let parts = weights.par_chunks_mut(part * length).zip(biases.par_chunks_mut(part * outputs));
        parts.enumerate().all(|(index, (weights, biases))| {
            let (mut room, mut sums, mut taps) = (Room::default(), self.sums(true), Vec::new());
            let places = weights.chunks_exact_mut(length).zip(biases.chunks_exact_mut(outputs));
            (index * part..).zip(places).all(|(image, (weight, bias))| {
                sums.weight.fill(0.0);
                sums.bias.fill(0.0);
                for block in self.blocks() {
                    let mask = mask.map(|mask| &mask[image * after..][..after]);
                    self.read_gradient(&block, &grad[image * after..][..after], mask, &mut room);
                    self.read_input(&block, &input[image * before..][..before], &mut room);
                    let sum = simd::sum_rows(&room.output, self.outputs);
                    sums.bias.iter_mut().zip(sum).for_each(|(sum, value)| *sum += f64::from(value));
                    self.add_products(&block, &room, &mut sums.weight);
                }
                bias.iter_mut().zip(&sums.bias).for_each(|(bias, sum)| *bias = *sum as f32);
                taps.resize(inputs * 9 * self.outputs, 0.0);
                let (places, taps) = (&sums.weight, &mut taps);
                simd::dispatch(WeightsAdjoint { inputs, pitch: self.outputs, places, taps, weight })
            })
        })
    }

    /// `G g Gᵀ` as `[place][input][output, padded]`, or `turned`, `[place][output][input, padded]`.
    fn weights(&self, weight: &[f32], turned: bool) -> Vec<f32> {
        let Sizes { inputs, outputs, .. } = self.sizes;
        let (rows, pitch) = if turned { (outputs, self.inputs) } else { (inputs, self.outputs) };
        let mut values = vec![0.0; PLACES * rows * pitch];
        for (pair, kernel) in weight.as_chunks::<9>().0.iter().enumerate() {
            let (output, input) = (pair / inputs, pair % inputs);
            let first = if turned { output * pitch + input } else { input * pitch + output };
            let places = values[first..].iter_mut().step_by(rows * pitch);
            places.zip(transform::weights(*kernel)).for_each(|(target, value)| *target = value);
        }
        values
    }

    fn sums(&self, wants_weight: bool) -> Sums {
        let weights = if wants_weight { PLACES * self.sizes.inputs * self.outputs } else { 0 };
        Sums { weight: vec![0.0; weights], bias: vec![0.0; self.outputs] }
    }

    /// All parts in their order, as `[output][input][3][3]` and `[output]`.
    fn total(&self, parts: impl Iterator<Item = Sums>, wants_weight: bool) -> (Vec<f32>, Vec<f32>) {
        let Sizes { inputs, outputs, .. } = self.sizes;
        let mut sums = self.sums(wants_weight);
        for part in parts {
            sums.weight.iter_mut().zip(&part.weight).for_each(|(sum, value)| *sum += value);
            sums.bias.iter_mut().zip(&part.bias).for_each(|(sum, value)| *sum += value);
        }
        let pairs = 0..if wants_weight { outputs * inputs } else { 0 };
        let kernel = |pair: usize| {
            let (output, input) = (pair / inputs, pair % inputs);
            let place = |place: usize| sums.weight[(place * inputs + input) * self.outputs + output];
            transform::weights_adjoint(std::array::from_fn(place))
        };
        let bias = sums.bias[..outputs].iter().map(|sum| *sum as f32);
        (pairs.flat_map(kernel).collect(), bias.collect())
    }

    /// Images per part.
    fn part(&self) -> usize {
        let parts = if self.sizes.inputs * self.sizes.outputs > LARGE { 4 } else { super::PARTS };
        self.sizes.images.div_ceil(parts)
    }

    /// Rows of tiles.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, all) = (self.rows, self.tiles[0]);
        (0..all).step_by(rows).map(move |first| first..all.min(first + rows))
    }

    /// The pixels that some rows of tiles read.
    fn input_strip(&self, block: &Range<usize>) -> Strip {
        let padding = self.sizes.options.padding;
        Strip {
            size: self.sizes.image,
            channels: self.sizes.inputs,
            first: [0, 1].map(|a| [TILE * block.start, 0][a].cast_signed() - padding[a].cast_signed()),
            pixels: [block.len(), self.tiles[1]].map(|tiles| TILE * tiles + SPAN - TILE),
            pitch: self.inputs,
        }
    }

    /// The pixels that they write.
    fn output_strip(&self, block: &Range<usize>) -> Strip {
        Strip {
            size: self.sizes.output,
            channels: self.sizes.outputs,
            first: [(TILE * block.start).cast_signed(), 0],
            pixels: [block.len(), self.tiles[1]].map(|tiles| TILE * tiles),
            pitch: self.outputs,
        }
    }

    fn tiles_in(&self, block: &Range<usize>) -> usize {
        block.len() * self.tiles[1]
    }

    fn transform(
        &self,
        transform: Transform<'_>,
        block: &Range<usize>,
        pixels: &mut [f32],
        places: &mut Vec<f32>,
    ) -> bool {
        let pitch = match transform {
            Transform::Input | Transform::InputAdjoint => self.inputs,
            Transform::Output { .. } | Transform::OutputAdjoint => self.outputs,
        };
        places.resize(PLACES * self.tiles_in(block) * pitch, 0.0);
        simd::dispatch(Tiles { transform, tiles: [block.len(), self.tiles[1]], pitch, pixels, places })
    }

    fn read_input(&self, block: &Range<usize>, image: &[f32], room: &mut Room) {
        self.input_strip(block).read(image, None, &mut room.input);
        self.transform(Transform::Input, block, &mut room.input, &mut room.input_tiles);
    }

    fn read_gradient(&self, block: &Range<usize>, grad: &[f32], mask: Option<&[f32]>, room: &mut Room) {
        self.output_strip(block).read(grad, mask, &mut room.output);
        self.transform(Transform::OutputAdjoint, block, &mut room.output, &mut room.output_tiles);
    }

    /// `target = tiles · weight` at every place.
    fn multiply(
        &self,
        block: &Range<usize>,
        (tiles, a_pitch): (&[f32], usize),
        (weight, b_pitch): (&[f32], usize),
        target: &mut Vec<f32>,
    ) {
        let rows = self.tiles_in(block);
        target.resize(PLACES * rows * b_pitch, 0.0);
        let depth = weight.len() / (PLACES * b_pitch);
        for place in 0..PLACES {
            let [to, a, b] = [(rows, b_pitch), (rows, a_pitch), (depth, b_pitch)]
                .map(|(rows, pitch)| View::rows(place * rows * pitch, rows, pitch, pitch));
            product((target, to), false, 1.0, (tiles, View { columns: depth, ..a }), (weight, b));
        }
    }

    /// Adds the products of input and output tiles to the weights' gradient.
    fn add_products(&self, block: &Range<usize>, room: &Room, sums: &mut [f32]) {
        let (inputs, depth) = (self.sizes.inputs, self.tiles_in(block));
        for place in 0..PLACES {
            let [to, a, b] = [(inputs, self.outputs), (depth, self.inputs), (depth, self.outputs)]
                .map(|(rows, pitch)| View::rows(place * rows * pitch, rows, pitch, pitch));
            let a = View { columns: inputs, ..a }.transposed();
            product((sums, to), true, 1.0, (&room.input_tiles, a), (&room.output_tiles, b));
        }
    }

    /// The output of one block. Whether it is finite.
    fn write_output(
        &self,
        block: &Range<usize>,
        weight: &[f32],
        transform: Transform<'_>,
        room: &mut Room,
        target: &mut [f32],
    ) -> bool {
        let strip = self.output_strip(block);
        let Room { input_tiles, output, output_tiles, .. } = room;
        self.multiply(block, (input_tiles, self.inputs), (weight, self.outputs), output_tiles);
        output.resize(strip.length(), 0.0);
        let finite = self.transform(transform, block, output, output_tiles);
        strip.write(output, target);
        finite
    }

    /// The input's gradient of one block; what the next one adds to is `carried` there. Whether it is finite.
    fn write_gradient(
        &self,
        block: &Range<usize>,
        turned: &[f32],
        room: &mut Room,
        carried: &mut Vec<f32>,
        target: &mut [f32],
    ) -> bool {
        let strip = self.input_strip(block);
        let Room { input, input_tiles, output_tiles, .. } = room;
        self.multiply(block, (output_tiles, self.outputs), (turned, self.inputs), input_tiles);
        input.clear();
        input.extend_from_slice(carried);
        input.resize(strip.length(), 0.0);
        let finite = self.transform(Transform::InputAdjoint, block, input, input_tiles);
        let is_last = block.end == self.tiles[0];
        let shared = if is_last { 0 } else { SPAN - TILE };
        let whole = Strip { pixels: [strip.pixels[0] - shared, strip.pixels[1]], ..strip };
        whole.write(input, target);
        carried.clear();
        carried.extend_from_slice(&input[whole.length()..]);
        finite
    }
}

/// Channels padded to whole vectors.
fn pitch(channels: usize) -> usize {
    channels.next_multiple_of(simd::WIDEST)
}
