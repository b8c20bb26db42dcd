//! Several vectors side by side, so that the long chains of elementary functions overlap.
//!
//! A processor waits four or five cycles for each operation of a chain. Two chains whose operations alternate take the
//! time of one.

#![expect(
    clippy::needless_range_loop,
    reason = "an iterator's closure that is not inlined keeps vectors in memory, not in registers"
)]

use std::ops::{Add, Div, Mul, Neg, Sub};

use pulp::Simd;

/// `U` vectors, with the arithmetic of numbers.
#[derive(Clone, Copy)]
pub(crate) struct Wide<S: Simd, const U: usize> {
    simd: S,
    pub(crate) vectors: [S::f32s; U],
}

/// Where a comparison holds.
#[derive(Clone, Copy)]
pub(crate) struct Mask<S: Simd, const U: usize> {
    simd: S,
    vectors: [S::m32s; U],
}

macro_rules! operators {
    ($($trait:ident :: $method:ident = $of:ident;)*) => {$(
        impl<S: Simd, const U: usize> $trait for Wide<S, U> {
            type Output = Self;

            #[inline(always)]
            fn $method(mut self, other: Self) -> Self {
                for u in 0..U {
                    self.vectors[u] = self.simd.$of(self.vectors[u], other.vectors[u]);
                }
                self
            }
        }
    )*};
}

operators! {
    Add::add = add_f32s;
    Sub::sub = sub_f32s;
    Mul::mul = mul_f32s;
    Div::div = div_f32s;
}

impl<S: Simd, const U: usize> Neg for Wide<S, U> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|vector| self.simd.neg_f32s(vector))
    }
}

impl<S: Simd, const U: usize> Wide<S, U> {
    #[inline(always)]
    pub(crate) fn new(simd: S, vectors: [S::f32s; U]) -> Self {
        Self { simd, vectors }
    }

    #[inline(always)]
    pub(crate) fn splat(self, value: f32) -> Self {
        Self { vectors: [self.simd.splat_f32s(value); U], ..self }
    }

    /// A plain loop: `array::map` is not always inlined, and then compiled for the plainest processor.
    #[inline(always)]
    fn map(mut self, f: impl Fn(S::f32s) -> S::f32s) -> Self {
        for u in 0..U {
            self.vectors[u] = f(self.vectors[u]);
        }
        self
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        self.map(|vector| self.simd.abs_f32s(vector))
    }

    /// `self · factor + term`, rounded once where the processor can.
    #[inline(always)]
    pub(crate) fn mul_add(mut self, factor: Self, term: Self) -> Self {
        for u in 0..U {
            self.vectors[u] = self.simd.mul_add_e_f32s(self.vectors[u], factor.vectors[u], term.vectors[u]);
        }
        self
    }

    /// The larger of both, whichever it is where one is NaN.
    #[inline(always)]
    pub(crate) fn max(mut self, other: Self) -> Self {
        for u in 0..U {
            self.vectors[u] = self.simd.max_f32s(self.vectors[u], other.vectors[u]);
        }
        self
    }

    /// The smaller of both, whichever it is where one is NaN.
    #[inline(always)]
    pub(crate) fn min(mut self, other: Self) -> Self {
        for u in 0..U {
            self.vectors[u] = self.simd.min_f32s(self.vectors[u], other.vectors[u]);
        }
        self
    }

    #[inline(always)]
    pub(crate) fn less_than(self, other: Self) -> Mask<S, U> {
        let none = self.simd.less_than_f32s(self.vectors[0], self.vectors[0]);
        let mut vectors = [none; U];
        for u in 0..U {
            vectors[u] = self.simd.less_than_f32s(self.vectors[u], other.vectors[u]);
        }
        Mask { simd: self.simd, vectors }
    }

    #[inline(always)]
    pub(crate) fn is_number(self) -> Mask<S, U> {
        let mut vectors = [self.simd.equal_f32s(self.vectors[0], self.vectors[0]); U];
        for u in 0..U {
            vectors[u] = self.simd.equal_f32s(self.vectors[u], self.vectors[u]);
        }
        Mask { simd: self.simd, vectors }
    }

    /// `2^k` from `k + 1.5 · 2²³`, for whole `k` in −126 … 127.
    #[inline(always)]
    pub(crate) fn power_of_two(self) -> Self {
        let simd = self.simd;
        self.map(|k| {
            let shifted = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(k), simd.splat_u32s(23));
            simd.transmute_f32s_u32s(simd.add_u32s(shifted, simd.splat_u32s(127 << 23)))
        })
    }
}

impl<S: Simd, const U: usize> Mask<S, U> {
    #[inline(always)]
    pub(crate) fn select(self, yes: Wide<S, U>, no: Wide<S, U>) -> Wide<S, U> {
        let mut vectors = yes.vectors;
        for u in 0..U {
            vectors[u] = self.simd.select_f32s(self.vectors[u], yes.vectors[u], no.vectors[u]);
        }
        Wide { vectors, ..yes }
    }
}

/// A function of one number, written over several vectors.
pub(crate) trait Function: Copy {
    fn apply<S: Simd, const U: usize>(self, x: Wide<S, U>) -> Wide<S, U>;
}

/// `target[i] = f(target[i])`.
#[inline(always)]
pub(crate) fn map<S: Simd>(simd: S, f: impl Function, target: &mut [f32]) {
    let (vectors, rest) = S::as_mut_simd_f32s(target);
    let (pairs, single) = vectors.as_chunks_mut::<2>();
    for pair in pairs {
        *pair = f.apply(Wide::new(simd, *pair)).vectors;
    }
    for vector in single {
        [*vector] = f.apply(Wide::new(simd, [*vector])).vectors;
    }
    if !rest.is_empty() {
        let [value] = f.apply(Wide::new(simd, [simd.partial_load_f32s(rest)])).vectors;
        simd.partial_store_f32s(rest, value);
    }
}
