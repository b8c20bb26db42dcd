//! The matrices of F(2×2, 3×3) and their adjoints, over vectors of channels.
//!
//! ```text
//!      1  0 -1  0        1   0   0         1  1  1  0
//! Bᵀ = 0  1  1  0    G = ½   ½   ½    Aᵀ = 0  1 -1 -1
//!      0 -1  1  0        ½  -½   ½
//!      0  1  0 -1        0   0   1
//! ```

#![expect(
    clippy::needless_range_loop,
    reason = "an iterator's closure that is not inlined keeps vectors in memory, not in registers"
)]

use pulp::{Simd, WithSimd};

use super::PLACES;

/// Which way between pixels and the places of tiles.
pub(super) enum Transform<'a> {
    /// `Bᵀ d B` of 4×4 pixels every two.
    Input,
    /// `B t Bᵀ` added to 4×4 pixels every two.
    InputAdjoint,
    /// `Aᵀ t A`, plus the bias, to 2×2 pixels; with a `ReLU`?
    Output { bias: &'a [f32], relu: bool },
    /// `A y Aᵀ` of 2×2 pixels.
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
        let across = match transform {
            Transform::Input | Transform::InputAdjoint => 2 * columns + 2,
            Transform::Output { .. } | Transform::OutputAdjoint => 2 * columns,
        } * vectors;
        let plane = rows * columns * vectors;
        let zero = simd.splat_f32s(0.0);
        let mut check = zero;
        for row in 0..rows {
            for column in 0..columns {
                let tile = (row * columns + column) * vectors;
                let corner = 2 * row * across + 2 * column * vectors;
                for v in 0..vectors {
                    let (place, pixel) = (tile + v, corner + v);
                    match transform {
                        Transform::Input => {
                            let values = load::<S, 4>(simd, pixels, pixel, across, vectors);
                            let values = both::<S, 4, 4>(simd, values, input);
                            store::<S, 4>(values, places, place, 4 * plane, plane);
                        }
                        Transform::InputAdjoint => {
                            let values = load::<S, 4>(simd, places, place, 4 * plane, plane);
                            let values = both::<S, 4, 4>(simd, values, input_adjoint);
                            let mut sums = load::<S, 4>(simd, pixels, pixel, across, vectors);
                            for y in 0..4 {
                                for x in 0..4 {
                                    sums[y][x] = simd.add_f32s(sums[y][x], values[y][x]);
                                    check = simd.mul_add_e_f32s(sums[y][x], zero, check);
                                }
                            }
                            store::<S, 4>(sums, pixels, pixel, across, vectors);
                        }
                        Transform::Output { bias, relu } => {
                            let (bias, _) = S::as_simd_f32s(bias);
                            let values = load::<S, 4>(simd, places, place, 4 * plane, plane);
                            let mut values = both::<S, 4, 2>(simd, values, output);
                            for y in 0..2 {
                                for x in 0..2 {
                                    let sum = simd.add_f32s(values[y][x], bias[v]);
                                    check = simd.mul_add_e_f32s(sum, zero, check);
                                    values[y][x] = if relu { simd.max_f32s(sum, zero) } else { sum };
                                }
                            }
                            store::<S, 2>(values, pixels, pixel, across, vectors);
                        }
                        Transform::OutputAdjoint => {
                            let values = load::<S, 2>(simd, pixels, pixel, across, vectors);
                            let values = both::<S, 2, 4>(simd, values, output_adjoint);
                            store::<S, 4>(values, places, place, 4 * plane, plane);
                        }
                    }
                }
            }
        }
        simd.reduce_sum_f32s(check) == 0.0
    }
}

#[inline(always)]
fn load<S: Simd, const N: usize>(
    simd: S,
    values: &[S::f32s],
    first: usize,
    row: usize,
    column: usize,
) -> [[S::f32s; N]; N] {
    let mut square = [[simd.splat_f32s(0.0); N]; N];
    for y in 0..N {
        for x in 0..N {
            square[y][x] = values[first + y * row + x * column];
        }
    }
    square
}

#[inline(always)]
fn store<S: Simd, const N: usize>(
    square: [[S::f32s; N]; N],
    values: &mut [S::f32s],
    first: usize,
    row: usize,
    column: usize,
) {
    for y in 0..N {
        for x in 0..N {
            values[first + y * row + x * column] = square[y][x];
        }
    }
}

/// `function` along the rows, then along the columns.
#[inline(always)]
fn both<S: Simd, const N: usize, const M: usize>(
    simd: S,
    square: [[S::f32s; N]; N],
    function: impl Fn(S, [S::f32s; N]) -> [S::f32s; M],
) -> [[S::f32s; M]; M] {
    let zero = simd.splat_f32s(0.0);
    let mut turned = [[zero; N]; M];
    for y in 0..N {
        let row = function(simd, square[y]);
        for x in 0..M {
            turned[x][y] = row[x];
        }
    }
    let mut result = [[zero; M]; M];
    for x in 0..M {
        let column = function(simd, turned[x]);
        for y in 0..M {
            result[y][x] = column[y];
        }
    }
    result
}

#[inline(always)]
fn input<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
    [simd.sub_f32s(a, c), simd.add_f32s(b, c), simd.sub_f32s(c, b), simd.sub_f32s(b, d)]
}

#[inline(always)]
fn input_adjoint<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
    let (sum, difference) = (simd.add_f32s(b, c), simd.sub_f32s(b, c));
    [a, simd.add_f32s(difference, d), simd.sub_f32s(sum, a), simd.neg_f32s(d)]
}

#[inline(always)]
fn output<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
    let (sum, difference) = (simd.add_f32s(b, c), simd.sub_f32s(b, c));
    [simd.add_f32s(a, sum), simd.sub_f32s(difference, d)]
}

#[inline(always)]
fn output_adjoint<S: Simd>(simd: S, [a, b]: [S::f32s; 2]) -> [S::f32s; 4] {
    [a, simd.add_f32s(a, b), simd.sub_f32s(a, b), simd.neg_f32s(b)]
}

/// `G g Gᵀ` of the weights of one pair of channels.
pub(super) fn weights(g: [f32; 9]) -> [f32; PLACES] {
    let along = |a: f32, b: f32, c: f32| [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c];
    let rows: [_; 3] = std::array::from_fn(|y| along(g[3 * y], g[3 * y + 1], g[3 * y + 2]));
    let columns: [_; 4] = std::array::from_fn(|x| along(rows[0][x], rows[1][x], rows[2][x]));
    std::array::from_fn(|place| columns[place % 4][place / 4])
}

/// `Gᵀ t G`.
pub(super) fn weights_adjoint(t: [f32; PLACES]) -> [f32; 9] {
    let along = |a: f32, b: f32, c: f32, d: f32| [a + 0.5 * (b + c), 0.5 * (b - c), 0.5 * (b + c) + d];
    let rows: [_; 4] = std::array::from_fn(|y| along(t[4 * y], t[4 * y + 1], t[4 * y + 2], t[4 * y + 3]));
    let columns: [_; 3] = std::array::from_fn(|x| along(rows[0][x], rows[1][x], rows[2][x], rows[3][x]));
    std::array::from_fn(|place| columns[place % 3][place / 3])
}
