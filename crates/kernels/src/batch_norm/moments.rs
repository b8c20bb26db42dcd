//! Sums over a batch, channel by channel, and what is done to each value by its channel's numbers.
//!
//! Sums are made block by block, blocks of a size that does not depend on the number of threads, and some images at a
//! time; these sums are added in order, in float64.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::simd::{self, Lanes};

/// `[images, channels, positions]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planes {
    images: usize,
    pub(super) channels: usize,
    positions: usize,
}

impl Planes {
    pub(super) fn new([images, channels, positions]: [usize; 3]) -> Self {
        Self { images, channels, positions }
    }

    /// Values of a channel.
    pub(super) fn count(self) -> usize {
        self.images * self.positions
    }

    /// `f` of each block of images, in order.
    fn blocks<T: Send>(self, f: impl Fn(Range<usize>) -> T + Sync) -> Vec<T> {
        let image = self.channels * self.positions;
        let size = (2 * simd::GRAIN).div_ceil(image.max(1));
        let range = |block: usize| block * size..self.images.min((block + 1) * size);
        match self.images.div_ceil(size) {
            0 => Vec::new(),
            1 => vec![f(0..self.images)],
            blocks => (0..blocks).into_par_iter().map(|block| f(range(block))).collect(),
        }
    }

    /// The values of some images.
    fn part(self, values: &[f32], images: Range<usize>) -> &[f32] {
        let image = self.channels * self.positions;
        &values[images.start * image..images.end * image]
    }

    /// The mean and the biased variance of each channel.
    pub(super) fn moments(self, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let parts = self.blocks(|images| {
            let mut moments = vec![Moments::default(); self.channels];
            for images in some(images) {
                let x = self.part(x, images);
                if self.positions == 1 {
                    simd::dispatch(RowMoments { x, moments: &mut moments });
                } else {
                    simd::dispatch(PlaneMoments { planes: self, x, moments: &mut moments });
                }
            }
            moments
        });
        let mut moments = vec![Moments::default(); self.channels];
        for part in parts {
            moments.iter_mut().zip(part).for_each(|(moments, part)| moments.add(part));
        }
        let mean = |m: &Moments| if m.count > 0.0 { m.mean as f32 } else { f32::NAN };
        let variance = |m: &Moments| (m.squares / m.count) as f32;
        (moments.iter().map(mean).collect(), moments.iter().map(variance).collect())
    }

    /// Of each channel `Σ grad` and `Σ grad · (x − mean)`.
    pub(super) fn gradient_sums(self, x: &[f32], mean: &[f32], grad: &[f32]) -> [Vec<f64>; 2] {
        let zeros = || [vec![0.0; self.channels], vec![0.0; self.channels]];
        let parts = self.blocks(|images| {
            let mut total = zeros();
            for images in some(images) {
                let (x, grad) = (self.part(x, images.clone()), self.part(grad, images));
                let mut sums = [vec![0.0; self.channels], vec![0.0; self.channels]];
                if self.positions == 1 {
                    simd::dispatch(RowSums { x, mean, grad, sums: &mut sums });
                } else {
                    simd::dispatch(PlaneSums { planes: self, x, mean, grad, sums: &mut sums });
                }
                add(&mut total, sums.map(|sums| sums.into_iter().map(f64::from).collect()));
            }
            total
        });
        let mut total = zeros();
        parts.into_iter().for_each(|part| add(&mut total, part));
        total
    }

    /// `target = f(target, x, numbers of the channel)`.
    pub(super) fn update(self, target: &mut [f32], f: impl Lanes<5>, x: &[f32], channel: [&[f32]; 4]) {
        if self.positions == 1 {
            let [a, b, c, d] = channel;
            simd::each_row(target, self.channels, |row, target| {
                let x = &x[row * self.channels..][..self.channels];
                simd::dispatch(simd::Update { f, target, others: [x, a, b, c, d] });
            });
        } else {
            simd::each_row(target, self.positions, |plane, target| {
                let x = &x[plane * self.positions..][..self.positions];
                let f = OfPlane { f, numbers: channel.map(|numbers| numbers[plane % self.channels]) };
                simd::dispatch(simd::Update { f, target, others: [x] });
            });
        }
    }
}

/// Images at a time, few enough for sums in float32.
fn some(images: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    images.clone().step_by(simd::SUMMED).map(move |first| first..images.end.min(first + simd::SUMMED))
}

fn add(total: &mut [Vec<f64>; 2], part: [Vec<f64>; 2]) {
    for (total, part) in total.iter_mut().zip(part) {
        total.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}

/// `f` with the numbers of one channel.
#[derive(Clone, Copy)]
struct OfPlane<F> {
    f: F,
    numbers: [f32; 4],
}

impl<F: Lanes<5>> Lanes<1> for OfPlane<F> {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, target: S::f32s, [x]: [S::f32s; 1]) -> S::f32s {
        let [a, b, c, d] = self.numbers.map(|number| simd.splat_f32s(number));
        self.f.apply(simd, target, [x, a, b, c, d])
    }
}

/// How many values, their mean, and the sum of their squared distances from it.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Of `count` values, given the sums of their distances and squared distances from `center`.
    fn new(count: usize, center: f32, sum: f32, squares: f32) -> Self {
        let (count, sum) = (count as f64, f64::from(sum));
        let squares = f64::from(squares) - sum * sum / count;
        // What rounding makes negative is zero; NaN stays.
        let squares = if squares < 0.0 { 0.0 } else { squares };
        Self { count, mean: f64::from(center) + sum / count, squares }
    }

    /// T. Chan, G. Golub, R. LeVeque: Updating formulae and a pairwise algorithm for computing sample variances, 1979.
    fn add(&mut self, other: Self) {
        let count = self.count + other.count;
        if other.count > 0.0 {
            let distance = other.mean - self.mean;
            self.mean += distance * (other.count / count);
            self.squares += other.squares + distance * distance * (self.count * other.count / count);
            self.count = count;
        }
    }
}

/// A value near the mean of all `x`: differences from one of the values are small, however far the data is from zero.
fn center(first: f32, sum_of_differences: f32, count: usize) -> f32 {
    first + sum_of_differences / count as f32
}

struct PlaneMoments<'a> {
    planes: Planes,
    x: &'a [f32],
    moments: &'a mut [Moments],
}

impl WithSimd for PlaneMoments<'_> {
    type Output = ();

    /// A plane at a time, three times over while it is in cache.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Planes { channels, positions, .. } = self.planes;
        if self.x.is_empty() {
            return;
        }
        for image in self.x.chunks_exact(channels * positions) {
            for (x, moments) in image.chunks_exact(positions).zip(&mut *self.moments) {
                let first = simd.splat_f32s(x[0]);
                let sum = simd::sum(simd, [x], |[x]| simd.sub_f32s(x, first));
                let center = center(x[0], sum, positions);
                let at = simd.splat_f32s(center);
                let sum = simd::sum(simd, [x], |[x]| simd.sub_f32s(x, at));
                let squares = simd::sum(simd, [x], |[x]| {
                    let d = simd.sub_f32s(x, at);
                    simd.mul_f32s(d, d)
                });
                moments.add(Moments::new(positions, center, sum, squares));
            }
        }
    }
}

struct RowMoments<'a> {
    x: &'a [f32],
    moments: &'a mut [Moments],
}

impl WithSimd for RowMoments<'_> {
    type Output = ();

    /// All channels side by side, row after row, twice over.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, moments } = self;
        let channels = moments.len();
        if x.is_empty() {
            return;
        }
        let (first, count) = (&x[..channels], x.len() / channels);
        let [mut centers, mut sums, mut squares] = [(); 3].map(|()| vec![0.0; channels]);
        for row in x.chunks_exact(channels) {
            let others = [row, first];
            simd::Update { f: Distance, target: &mut centers, others }.with_simd(simd);
        }
        centers.iter_mut().zip(first).for_each(|(sum, first)| *sum = center(*first, *sum, count));
        for row in x.chunks_exact(channels) {
            let others = [row, &centers];
            simd::Update { f: Distance, target: &mut sums, others }.with_simd(simd);
            simd::Update { f: Square, target: &mut squares, others }.with_simd(simd);
        }
        let found = centers.iter().zip(sums).zip(squares);
        for (moments, ((center, sum), squares)) in moments.iter_mut().zip(found) {
            moments.add(Moments::new(count, *center, sum, squares));
        }
    }
}

struct PlaneSums<'a> {
    planes: Planes,
    x: &'a [f32],
    mean: &'a [f32],
    grad: &'a [f32],
    sums: &'a mut [Vec<f32>; 2],
}

impl WithSimd for PlaneSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Planes { channels, positions, .. } = self.planes;
        if self.x.is_empty() {
            return;
        }
        let [by_bias, along] = self.sums;
        let planes = self.x.chunks_exact(positions).zip(self.grad.chunks_exact(positions));
        for (plane, (x, grad)) in planes.enumerate() {
            let channel = plane % channels;
            let mean = simd.splat_f32s(self.mean[channel]);
            by_bias[channel] += simd::sum(simd, [grad], |[g]| g);
            along[channel] += simd::sum(simd, [grad, x], |[g, x]| simd.mul_f32s(g, simd.sub_f32s(x, mean)));
        }
    }
}

struct RowSums<'a> {
    x: &'a [f32],
    mean: &'a [f32],
    grad: &'a [f32],
    sums: &'a mut [Vec<f32>; 2],
}

impl WithSimd for RowSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, mean, grad, sums: [by_bias, along] } = self;
        if x.is_empty() {
            return;
        }
        for (x, grad) in x.chunks_exact(mean.len()).zip(grad.chunks_exact(mean.len())) {
            simd::Update { f: Value, target: by_bias, others: [grad] }.with_simd(simd);
            simd::Update { f: Along, target: along, others: [grad, x, mean] }.with_simd(simd);
        }
    }
}

/// What a value adds to a sum.
macro_rules! summands {
    ($($name:ident($n:literal) = |$simd:ident, $sum:ident, $others:pat_param| $value:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;

        impl Lanes<$n> for $name {
            #[inline(always)]
            fn apply<S: Simd>(self, $simd: S, $sum: S::f32s, $others: [S::f32s; $n]) -> S::f32s {
                $value
            }
        }
    )*};
}

summands! {
    Value(1) = |simd, sum, [x]| simd.add_f32s(sum, x);
    Distance(2) = |simd, sum, [x, center]| simd.add_f32s(sum, simd.sub_f32s(x, center));
    Square(2) = |simd, sum, [x, center]| {
        let d = simd.sub_f32s(x, center);
        simd.mul_add_e_f32s(d, d, sum)
    };
    Along(3) = |simd, sum, [grad, x, mean]| simd.mul_add_e_f32s(grad, simd.sub_f32s(x, mean), sum);
}
