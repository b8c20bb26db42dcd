//! The matrices of F(4×4, 3×3) and their adjoints, over vectors of channels.
//!
//! They interpolate at 0, ±a, ±b and ∞ for a = ¾ and b = 3/2. Whole numbers, as in Lavin and Gray, would need fewer
//! multiplications, but their results are three times as far from exact ones; after Barabasz et al., "Error analysis and
//! improving the accuracy of Winograd convolution for deep neural networks" (2020, arXiv:1803.10986).
//!
//! ```text
//!      a²b²   0   -a²-b²    0     1  0         1/(a²b²)   0     0           1  1  1  1  1  0
//!       0   -ab²   -b²      a     1  0         1, a, a²: 2a²(a²-b²)         0  a -a  b -b  0
//! Bᵀ =  0    ab²   -b²     -a     1  0    G =  1,-a, a²: 2a²(a²-b²)    Aᵀ = 0  a² a² b² b² 0
//!       0   -a²b   -a²      b     1  0         1, b, b²: 2b²(b²-a²)         0  a³-a³ b³-b³ 1
//!       0    a²b   -a²     -b     1  0         1,-b, b²: 2b²(b²-a²)
//!       0   a²b²    0    -a²-b²   0  1            0       0     1
//! ```

use pulp::{Simd, WithSimd};

use super::{PLACES, SPAN, TILE};
use crate::simd::WIDEST;

const A: f32 = 0.75;
const A2: f32 = A * A;
const A3: f32 = A2 * A;
const B: f32 = 1.5;
const B2: f32 = B * B;
const B3: f32 = B2 * B;

/// Which way between pixels and the places of tiles.
pub(super) enum Transform<'a> {
    /// `Bᵀ d B` of 6×6 pixels every four.
    Input,
    /// `B t Bᵀ` added to 6×6 pixels every four.
    InputAdjoint,
    /// `Aᵀ t A`, plus the bias, to 4×4 pixels; with a `ReLU`?
    Output { bias: &'a [f32], relu: bool },
    /// `A y Aᵀ` of 4×4 pixels.
    OutputAdjoint,
}

/// Rows of tiles: `pixels[y][x][channel]` beside `places[place][tile][channel]`.
pub(super) struct Tiles<'a> {
    pub(super) transform: Transform<'a>,
    /// Tiles along both axes.
    pub(super) tiles: [usize; 2],
    pub(super) pitch: usize,
    pub(super) pixels: &'a mut [f32],
    pub(super) places: &'a mut [f32],
}

impl WithSimd for Tiles<'_> {
    /// Whether every result is finite.
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let Self { transform, tiles: [rows, columns], pitch, pixels, places } = self;
        let (pixels, _) = S::as_mut_simd_f32s(pixels);
        let (places, _) = S::as_mut_simd_f32s(places);
        let vectors = pitch / S::F32_LANES;
        let across = vectors
            * match transform {
                Transform::Input | Transform::InputAdjoint => TILE * columns + SPAN - TILE,
                Transform::Output { .. } | Transform::OutputAdjoint => TILE * columns,
            };
        let plane = rows * columns * vectors;
        let zero = simd.splat_f32s(0.0);
        let mut check = zero;
        for row in 0..rows {
            for column in 0..columns {
                for v in 0..vectors {
                    let pixel = Grid {
                        first: TILE * (row * across + column * vectors) + v,
                        row: across,
                        column: vectors,
                    };
                    let place = Grid {
                        first: (row * columns + column) * vectors + v,
                        row: SPAN * plane,
                        column: plane,
                    };
                    match transform {
                        Transform::Input => {
                            let half = rows_of::<S, SPAN, SPAN>(simd, pixels, pixel, input);
                            for x in 0..SPAN {
                                let values = input(simd, half[x]);
                                for y in 0..SPAN {
                                    places[place.at(y, x)] = values[y];
                                }
                            }
                        }
                        Transform::InputAdjoint => {
                            let half = rows_of::<S, SPAN, SPAN>(simd, places, place, input_adjoint);
                            for x in 0..SPAN {
                                let values = input_adjoint(simd, half[x]);
                                for y in 0..SPAN {
                                    let target = &mut pixels[pixel.at(y, x)];
                                    *target = simd.add_f32s(*target, values[y]);
                                    check = simd.mul_add_e_f32s(*target, zero, check);
                                }
                            }
                        }
                        Transform::Output { bias, relu } => {
                            let (bias, _) = S::as_simd_f32s(bias);
                            let half = rows_of::<S, SPAN, TILE>(simd, places, place, output);
                            for x in 0..TILE {
                                let values = output(simd, half[x]);
                                for y in 0..TILE {
                                    let sum = simd.add_f32s(values[y], bias[v]);
                                    check = simd.mul_add_e_f32s(sum, zero, check);
                                    pixels[pixel.at(y, x)] =
                                        if relu { simd.max_f32s(sum, zero) } else { sum };
                                }
                            }
                        }
                        Transform::OutputAdjoint => {
                            let half = rows_of::<S, TILE, SPAN>(simd, pixels, pixel, output_adjoint);
                            for x in 0..SPAN {
                                let values = output_adjoint(simd, half[x]);
                                for y in 0..SPAN {
                                    places[place.at(y, x)] = values[y];
                                }
                            }
                        }
                    }
                }
            }
        }
        simd.reduce_sum_f32s(check) == 0.0
    }
}

/// Where the values of a square lie.
#[derive(Clone, Copy)]
struct Grid {
    first: usize,
    row: usize,
    column: usize,
}

impl Grid {
    #[inline(always)]
    fn at(self, y: usize, x: usize) -> usize {
        self.first + y * self.row + x * self.column
    }
}

/// `function` of each row of a square, turned.
#[inline(always)]
fn rows_of<S: Simd, const N: usize, const M: usize>(
    simd: S,
    values: &[S::f32s],
    grid: Grid,
    function: impl Fn(S, [S::f32s; N]) -> [S::f32s; M],
) -> [[S::f32s; N]; M] {
    let zero = simd.splat_f32s(0.0);
    let mut turned = [[zero; N]; M];
    for y in 0..N {
        let mut row = [zero; N];
        for x in 0..N {
            row[x] = values[grid.at(y, x)];
        }
        let row = function(simd, row);
        for x in 0..M {
            turned[x][y] = row[x];
        }
    }
    turned
}

/// `factor · a + b`.
#[inline(always)]
fn scaled<S: Simd>(simd: S, factor: f32, a: S::f32s, b: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), a, b)
}

#[inline(always)]
fn input<S: Simd>(simd: S, [d0, d1, d2, d3, d4, d5]: [S::f32s; SPAN]) -> [S::f32s; SPAN] {
    let times = |factor: f32, value| simd.mul_f32s(simd.splat_f32s(factor), value);
    let first = scaled(simd, A2 * B2, d0, scaled(simd, -A2 - B2, d2, d4));
    let last = scaled(simd, A2 * B2, d1, scaled(simd, -A2 - B2, d3, d5));
    let (even, odd) = (scaled(simd, -B2, d2, d4), times(A, scaled(simd, -B2, d1, d3)));
    let (more, less) = (simd.add_f32s(even, odd), simd.sub_f32s(even, odd));
    let (even, odd) = (scaled(simd, -A2, d2, d4), times(B, scaled(simd, -A2, d1, d3)));
    [first, more, less, simd.add_f32s(even, odd), simd.sub_f32s(even, odd), last]
}

#[inline(always)]
fn input_adjoint<S: Simd>(simd: S, [t0, t1, t2, t3, t4, t5]: [S::f32s; SPAN]) -> [S::f32s; SPAN] {
    let times = |factor: f32, value| simd.mul_f32s(simd.splat_f32s(factor), value);
    let (a_even, a_odd) = (simd.add_f32s(t1, t2), times(A, simd.sub_f32s(t1, t2)));
    let (b_even, b_odd) = (simd.add_f32s(t3, t4), times(B, simd.sub_f32s(t3, t4)));
    [
        times(A2 * B2, t0),
        scaled(simd, A2 * B2, t5, scaled(simd, -B2, a_odd, times(-A2, b_odd))),
        scaled(simd, -A2 - B2, t0, scaled(simd, -B2, a_even, times(-A2, b_even))),
        scaled(simd, -A2 - B2, t5, simd.add_f32s(a_odd, b_odd)),
        simd.add_f32s(t0, simd.add_f32s(a_even, b_even)),
        t5,
    ]
}

#[inline(always)]
fn output<S: Simd>(simd: S, [t0, t1, t2, t3, t4, t5]: [S::f32s; SPAN]) -> [S::f32s; TILE] {
    let times = |factor: f32, value| simd.mul_f32s(simd.splat_f32s(factor), value);
    let (a_even, a_odd) = (simd.add_f32s(t1, t2), simd.sub_f32s(t1, t2));
    let (b_even, b_odd) = (simd.add_f32s(t3, t4), simd.sub_f32s(t3, t4));
    [
        simd.add_f32s(t0, simd.add_f32s(a_even, b_even)),
        scaled(simd, A, a_odd, times(B, b_odd)),
        scaled(simd, A2, a_even, times(B2, b_even)),
        scaled(simd, A3, a_odd, scaled(simd, B3, b_odd, t5)),
    ]
}

#[inline(always)]
fn output_adjoint<S: Simd>(simd: S, [y0, y1, y2, y3]: [S::f32s; TILE]) -> [S::f32s; SPAN] {
    let times = |factor: f32, value| simd.mul_f32s(simd.splat_f32s(factor), value);
    let (even, odd) = (scaled(simd, A2, y2, y0), scaled(simd, A3, y3, times(A, y1)));
    let (more, less) = (simd.add_f32s(even, odd), simd.sub_f32s(even, odd));
    let (even, odd) = (scaled(simd, B2, y2, y0), scaled(simd, B3, y3, times(B, y1)));
    [y0, more, less, simd.add_f32s(even, odd), simd.sub_f32s(even, odd), y3]
}

/// The matrix `G`.
const WEIGHTS: [[f64; 3]; SPAN] = {
    let [a, a2, b, b2] = [A as f64, A2 as f64, B as f64, B2 as f64];
    let [at_a, at_b] = [1.0 / (2.0 * a2 * (a2 - b2)), 1.0 / (2.0 * b2 * (b2 - a2))];
    [
        [1.0 / (a2 * b2), 0.0, 0.0],
        [at_a, a * at_a, a2 * at_a],
        [at_a, -a * at_a, a2 * at_a],
        [at_b, b * at_b, b2 * at_b],
        [at_b, -b * at_b, b2 * at_b],
        [0.0, 0.0, 1.0],
    ]
};

/// `G g Gᵀ` of the weights of one pair of channels.
pub(super) fn weights(g: [f32; 9]) -> [f32; PLACES] {
    let mut places = [0.0; PLACES];
    for (place, value) in places.iter_mut().enumerate() {
        let (row, column) = (WEIGHTS[place / SPAN], WEIGHTS[place % SPAN]);
        let line = |y: usize| (0..3).map(|x| f64::from(g[3 * y + x]) * column[x]).sum::<f64>();
        *value = (0..3).map(|y| row[y] * line(y)).sum::<f64>() as f32;
    }
    places
}

/// `Gᵀ t G` for all pairs of channels: `places[place][input][output, padded]` to `weight[output][input][tap]`.
pub(super) struct WeightsAdjoint<'a> {
    pub(super) inputs: usize,
    /// Output channels, padded.
    pub(super) pitch: usize,
    pub(super) places: &'a [f32],
    /// Room for `[input][tap][output, padded]`.
    pub(super) taps: &'a mut [f32],
    pub(super) weight: &'a mut [f32],
}

impl WithSimd for WeightsAdjoint<'_> {
    /// Whether every result is finite.
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let Self { inputs, pitch, places, taps, weight } = self;
        let vectors = pitch / S::F32_LANES;
        let (places, _) = S::as_simd_f32s(places);
        let zero = simd.splat_f32s(0.0);
        let mut check = zero;
        {
            let (taps, _) = S::as_mut_simd_f32s(taps);
            for input in 0..inputs {
                for v in 0..vectors {
                    let plane = inputs * vectors;
                    let place = Grid { first: input * vectors + v, row: SPAN * plane, column: plane };
                    let half = rows_of::<S, SPAN, 3>(simd, places, place, weights_line);
                    for x in 0..3 {
                        let values = weights_line(simd, half[x]);
                        for y in 0..3 {
                            check = simd.mul_add_e_f32s(values[y], zero, check);
                            taps[(9 * input + 3 * y + x) * vectors + v] = values[y];
                        }
                    }
                }
            }
        }
        // Square by square, so that both sides stay in the first cache.
        let (rows, outputs) = (9 * inputs, weight.len() / (9 * inputs));
        for first in (0..rows).step_by(WIDEST) {
            let count = WIDEST.min(rows - first);
            for block in (0..outputs).step_by(WIDEST) {
                for output in block..outputs.min(block + WIDEST) {
                    let line = &mut weight[output * rows + first..][..count];
                    for (row, value) in line.iter_mut().enumerate() {
                        *value = taps[(first + row) * pitch + output];
                    }
                }
            }
        }
        simd.reduce_sum_f32s(check) == 0.0
    }
}

/// One factor of `Gᵀ t G`.
#[inline(always)]
fn weights_line<S: Simd>(simd: S, [t0, t1, t2, t3, t4, t5]: [S::f32s; SPAN]) -> [S::f32s; 3] {
    const AT_0: f32 = WEIGHTS[0][0] as f32;
    const AT_A: f32 = WEIGHTS[1][0] as f32;
    const AT_B: f32 = WEIGHTS[3][0] as f32;
    let times = |factor: f32, value| simd.mul_f32s(simd.splat_f32s(factor), value);
    let (a_even, a_odd) = (times(AT_A, simd.add_f32s(t1, t2)), times(AT_A, simd.sub_f32s(t1, t2)));
    let (b_even, b_odd) = (times(AT_B, simd.add_f32s(t3, t4)), times(AT_B, simd.sub_f32s(t3, t4)));
    [
        scaled(simd, AT_0, t0, simd.add_f32s(a_even, b_even)),
        scaled(simd, A, a_odd, times(B, b_odd)),
        scaled(simd, A2, a_even, scaled(simd, B2, b_even, t5)),
    ]
}

/// `Gᵀ t G`.
pub(super) fn weights_adjoint(t: [f32; PLACES]) -> [f32; 9] {
    let line = |place: usize, x: usize| -> f64 {
        (0..SPAN).map(|column| f64::from(t[place * SPAN + column]) * WEIGHTS[column][x]).sum()
    };
    std::array::from_fn(|k| (0..SPAN).map(|row| WEIGHTS[row][k / 3] * line(row, k % 3)).sum::<f64>() as f32)
}
