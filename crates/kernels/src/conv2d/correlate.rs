//! Sums over taps at constant offsets, a tile of output channels times pixels at a time.

#![expect(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "an iterator's closure that is not inlined keeps vectors in memory, not in registers"
)]

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::layout::{Layout, Scratch};
use crate::simd;

/// Output channels of one group computed together, and where their weights begin.
#[derive(Debug, Clone, Copy)]
struct Block {
    group: usize,
    first: usize,
    count: usize,
    weights: usize,
}

/// A correlation of stride 1 over a [`Layout`]: packed weights `[block][tap][channel of the block]`.
#[derive(Debug)]
pub(super) struct Correlation {
    layout: Layout,
    /// Values of the source between two groups.
    group: usize,
    offsets: Vec<usize>,
    /// The largest offset.
    reach: usize,
    blocks: Vec<Block>,
    weights: Vec<f32>,
}

/// Where output pixel `(y, x)` goes: to `first + step·(y, x)` of a plane of `size`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) size: [usize; 2],
    pub(super) first: [usize; 2],
    pub(super) step: [usize; 2],
}

impl Target {
    fn area(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Pixels written.
    fn outputs(&self) -> [usize; 2] {
        [0, 1].map(|a| (self.size[a] - self.first[a]).div_ceil(self.step[a]))
    }
}

/// The widest block of channels.
const CHANNELS: usize = 8;

impl Correlation {
    /// `weight(output channel, tap)`, the taps at `offsets`, which are the same for each of `groups` groups of
    /// `group_inputs` channels of the source and `group_outputs` of the output.
    pub(super) fn new(
        layout: Layout,
        group_inputs: usize,
        offsets: Vec<usize>,
        [groups, group_outputs]: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let sizes = if simd::registers() >= 32 { [8, 4, 2, 1] } else { [6, 4, 2, 1] };
        let (mut blocks, mut weights) =
            (Vec::new(), Vec::with_capacity(groups * group_outputs * offsets.len()));
        for group in 0..groups {
            let (mut first, end) = (group * group_outputs, (group + 1) * group_outputs);
            while first < end {
                let count = sizes.into_iter().find(|&size| size <= end - first).expect("the last is one");
                blocks.push(Block { group, first, count, weights: weights.len() });
                for tap in 0..offsets.len() {
                    weights.extend((first..first + count).map(|channel| weight(channel, tap)));
                }
                first += count;
            }
        }
        let reach = offsets.iter().copied().max().unwrap_or(0);
        Self { layout, group: group_inputs * layout.channel(), offsets, reach, blocks, weights }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    pub(super) fn scratch(&self) -> Scratch {
        Scratch::new(self.layout)
    }

    /// All channels of one image.
    pub(super) fn run(
        &self,
        source: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
        target: Target,
        output: &mut [f32],
    ) {
        simd::dispatch(Run { correlation: self, blocks: &self.blocks, source, bias, relu, target, output });
    }

    /// As [`run`](Self::run), the channels on several threads.
    pub(super) fn run_parallel(
        &self,
        source: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
        target: Target,
        mut output: &mut [f32],
    ) {
        let mut parts = Vec::new();
        for blocks in self.blocks.chunks(self.blocks.len().div_ceil(super::PARTS)) {
            let channels: usize = blocks.iter().map(|block| block.count).sum();
            let (part, rest) = output.split_at_mut(channels * target.area());
            parts.push((blocks, part));
            output = rest;
        }
        parts.into_par_iter().for_each(|(blocks, output)| {
            simd::dispatch(Run { correlation: self, blocks, source, bias, relu, target, output });
        });
    }
}

struct Run<'a> {
    correlation: &'a Correlation,
    blocks: &'a [Block],
    source: &'a [f32],
    bias: Option<&'a [f32]>,
    relu: bool,
    target: Target,
    output: &'a mut [f32],
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let [rows, columns] = self.target.outputs();
        let positions = (rows - 1) * self.correlation.layout.width + columns;
        let direct = columns == self.correlation.layout.width && self.target.step == [1, 1];
        let mut buffer = vec![0.0; if direct { 0 } else { CHANNELS * positions }];
        let first = self.blocks.first().map_or(0, |block| block.first);
        for &block in self.blocks {
            let planes = (block.first - first) * self.target.area()..;
            let planes = planes.start..planes.start + block.count * self.target.area();
            if direct {
                let output = std::mem::take(&mut self.output);
                self.block(simd, block, positions, &mut output[planes]);
                self.output = output;
            } else {
                self.block(simd, block, positions, &mut buffer);
                self.place(simd, &buffer, positions, planes);
            }
        }
    }
}

impl Run<'_> {
    /// One block at every position, channel after channel.
    #[inline(always)]
    fn block<S: Simd>(&self, simd: S, block: Block, positions: usize, planes: &mut [f32]) {
        // As many sums as there are registers beside the pixels and a weight.
        match block.count {
            8 => self.tiles::<S, 8, 3>(simd, block, positions, planes),
            6 => self.tiles::<S, 6, 2>(simd, block, positions, planes),
            4 if S::REGISTER_COUNT >= 32 => self.tiles::<S, 4, 5>(simd, block, positions, planes),
            4 => self.tiles::<S, 4, 2>(simd, block, positions, planes),
            2 => self.tiles::<S, 2, 4>(simd, block, positions, planes),
            _ => self.tiles::<S, 1, 6>(simd, block, positions, planes),
        }
    }

    #[inline(always)]
    fn tiles<S: Simd, const M: usize, const V: usize>(
        &self,
        simd: S,
        block: Block,
        positions: usize,
        planes: &mut [f32],
    ) {
        let Correlation { offsets, reach, weights, group, .. } = self.correlation;
        let source = &self.source[block.group * group..];
        let (weights, _) = weights[block.weights..].as_chunks::<M>();
        let weights = &weights[..offsets.len()];
        let bias: [f32; M] = std::array::from_fn(|m| self.bias.map_or(0.0, |bias| bias[block.first + m]));
        let room = source.len() - reach;
        let mut position = 0;
        while position < positions {
            let wide = V * S::F32_LANES;
            if positions - position > S::F32_LANES && wide <= room {
                let start = position.min(room - wide);
                let sums = tile::<S, M, V>(simd, source, offsets, weights, bias, start);
                self.store(simd, sums, start, positions, planes);
                position = start + wide;
            } else {
                let start = position.min(room - S::F32_LANES);
                let sums = tile::<S, M, 1>(simd, source, offsets, weights, bias, start);
                self.store(simd, sums, start, positions, planes);
                position = start + S::F32_LANES;
            }
        }
    }

    #[inline(always)]
    fn store<S: Simd, const M: usize, const V: usize>(
        &self,
        simd: S,
        sums: [[S::f32s; V]; M],
        start: usize,
        positions: usize,
        planes: &mut [f32],
    ) {
        let zero = simd.splat_f32s(0.0);
        for m in 0..M {
            let plane = &mut planes[m * positions..(m + 1) * positions];
            for v in 0..V {
                let from = start + v * S::F32_LANES;
                if from >= positions {
                    break;
                }
                let sum = sums[m][v];
                // Written so that NaN passes through.
                let sum =
                    if self.relu { simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum) } else { sum };
                write(simd, &mut plane[from..], sum);
            }
        }
    }

    /// Copies the positions that are outputs to where they belong.
    #[inline(always)]
    fn place<S: Simd>(&mut self, simd: S, buffer: &[f32], positions: usize, planes: std::ops::Range<usize>) {
        let Target { size: [_, width], first, step } = self.target;
        let ([rows, columns], pitch) = (self.target.outputs(), self.correlation.layout.width);
        let (area, last) = (self.target.area(), planes.end);
        for (channel, values) in (0..).zip(buffer.chunks_exact(positions)) {
            let plane = planes.start + channel * area;
            if plane == last {
                break;
            }
            for row in 0..rows {
                let values = &values[row * pitch..];
                let start = plane + (first[0] + row * step[0]) * width + first[1];
                if step == [1, 1] && columns == width {
                    // A vector may write past its row: what follows is written later.
                    let target = &mut self.output[start..];
                    for x in (0..columns).step_by(S::F32_LANES) {
                        let count = S::F32_LANES.min(values.len() - x);
                        if count == S::F32_LANES {
                            write(simd, &mut target[x..], load::<S>(&values[x..]));
                        } else {
                            target[x..columns].copy_from_slice(&values[x..columns]);
                        }
                    }
                } else {
                    let target = self.output[start..].iter_mut().step_by(step[1]);
                    target.zip(&values[..columns]).for_each(|(target, value)| *target = *value);
                }
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd>(values: &[f32]) -> S::f32s {
    S::as_simd_f32s(&values[..S::F32_LANES]).0[0]
}

/// A vector, or as much of it as there is room for.
#[inline(always)]
fn write<S: Simd>(simd: S, target: &mut [f32], value: S::f32s) {
    if target.len() >= S::F32_LANES {
        S::as_mut_simd_f32s(&mut target[..S::F32_LANES]).0[0] = value;
    } else {
        simd.partial_store_f32s(target, value);
    }
}

/// `M` channels of `V` vectors of pixels from position `start` on, in registers.
#[inline(always)]
fn tile<S: Simd, const M: usize, const V: usize>(
    simd: S,
    source: &[f32],
    offsets: &[usize],
    weights: &[[f32; M]],
    bias: [f32; M],
    start: usize,
) -> [[S::f32s; V]; M] {
    // Plain loops: a closure that is not inlined would keep the sums in memory, not in registers.
    let mut sums = [[simd.splat_f32s(0.0); V]; M];
    for m in 0..M {
        sums[m] = [simd.splat_f32s(bias[m]); V];
    }
    for tap in 0..offsets.len().min(weights.len()) {
        let (from, weights) = (offsets[tap] + start, &weights[tap]);
        let (vectors, _) = S::as_simd_f32s(&source[from..from + V * S::F32_LANES]);
        let mut pixels = [simd.splat_f32s(0.0); V];
        for v in 0..V {
            pixels[v] = vectors[v];
        }
        for m in 0..M {
            let weight = simd.splat_f32s(weights[m]);
            for v in 0..V {
                sums[m][v] = simd.mul_add_e_f32s(weight, pixels[v], sums[m][v]);
            }
        }
    }
    sums
}
