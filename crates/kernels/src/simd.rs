//! Loops over slices with the widest instructions of this processor, on both cores where that pays.
//!
//! `pulp` picks AVX-512, AVX2, NEON or plain code at run time; an operation is written once, over its vector type.

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Elements below which another thread costs more than it brings: about 10 µs of an elementwise loop.
pub(crate) const GRAIN: usize = 1 << 14;

/// Runs `op` compiled for the widest instructions at hand.
pub(crate) fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    ARCH.dispatch(op)
}

/// Vector registers of the instructions that [`dispatch`] picks.
pub(crate) fn registers() -> usize {
    struct Registers;

    impl WithSimd for Registers {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::REGISTER_COUNT
        }
    }

    dispatch(Registers)
}

/// A function of `N + 1` numbers, written over vectors: the target's value and `N` others.
pub(crate) trait Lanes<const N: usize>: Copy + Sync {
    fn apply<S: Simd>(self, simd: S, target: S::f32s, others: [S::f32s; N]) -> S::f32s;
}

/// `target[i] = f(target[i], others[0][i], …)`.
pub(crate) fn update<const N: usize>(f: impl Lanes<N>, target: &mut [f32], others: [&[f32]; N]) {
    for other in others {
        assert_eq!(other.len(), target.len(), "slices of one length");
    }
    if target.len() < 2 * GRAIN {
        return dispatch(Update { f, target, others });
    }
    target.par_chunks_mut(GRAIN).enumerate().for_each(|(chunk, target)| {
        let range = chunk * GRAIN..chunk * GRAIN + target.len();
        dispatch(Update { f, others: others.map(|other| &other[range.clone()]), target });
    });
}

/// [`update`] as a part of another operation.
pub(crate) struct Update<'a, F, const N: usize> {
    pub(crate) f: F,
    pub(crate) target: &'a mut [f32],
    pub(crate) others: [&'a [f32]; N],
}

impl<F: Lanes<N>, const N: usize> WithSimd for Update<'_, F, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { f, target, others } = self;
        let (vectors, rest) = S::as_mut_simd_f32s(target);
        let split = others.map(|other| S::as_simd_f32s(other));
        // Of one length for the compiler to see, which then checks no index.
        let whole = split.map(|(others, _)| &others[..vectors.len()]);
        for (i, value) in vectors.iter_mut().enumerate() {
            *value = f.apply(simd, *value, whole.map(|others| others[i]));
        }
        if !rest.is_empty() {
            let others = split.map(|(_, rest)| simd.partial_load_f32s(rest));
            let value = f.apply(simd, simd.partial_load_f32s(rest), others);
            simd.partial_store_f32s(rest, value);
        }
    }
}

/// A function of `N + 1` numbers that gives `N` anew, written over vectors: the targets' values and one more.
pub(crate) trait JointLanes<const N: usize>: Copy + Sync {
    fn apply<S: Simd>(self, simd: S, targets: [S::f32s; N], other: S::f32s) -> [S::f32s; N];
}

/// `(targets[0][i], …) = f((targets[0][i], …), other[i])`: several slices written in one pass.
pub(crate) fn update_jointly<const N: usize>(f: impl JointLanes<N>, targets: [&mut [f32]; N], other: &[f32]) {
    for target in &targets {
        assert_eq!(target.len(), other.len(), "slices of one length");
    }
    if other.len() < 2 * GRAIN {
        return dispatch(UpdateJointly { f, targets, other });
    }
    let middle = (other.len() / 2).next_multiple_of(GRAIN);
    let mut right = targets;
    let left = right.each_mut().map(|target| target.split_off_mut(..middle).expect("within it"));
    let (first, second) = other.split_at(middle);
    rayon::join(|| update_jointly(f, left, first), || update_jointly(f, right, second));
}

struct UpdateJointly<'a, F, const N: usize> {
    f: F,
    targets: [&'a mut [f32]; N],
    other: &'a [f32],
}

impl<F: JointLanes<N>, const N: usize> WithSimd for UpdateJointly<'_, F, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { f, targets, other } = self;
        let (others, rest) = S::as_simd_f32s(other);
        let mut split = targets.map(|target| S::as_mut_simd_f32s(target));
        for (i, &other) in others.iter().enumerate() {
            let values = f.apply(simd, split.each_ref().map(|(vectors, _)| vectors[i]), other);
            for ((vectors, _), value) in split.iter_mut().zip(values) {
                vectors[i] = value;
            }
        }
        if !rest.is_empty() {
            let values = split.each_ref().map(|(_, rest)| simd.partial_load_f32s(rest));
            let values = f.apply(simd, values, simd.partial_load_f32s(rest));
            for ((_, rest), value) in split.iter_mut().zip(values) {
                simd.partial_store_f32s(rest, value);
            }
        }
    }
}

/// Rows of `columns` values each, handed to `f` with their index; in parallel where there is enough to do.
pub(crate) fn each_row(target: &mut [f32], columns: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    if columns == 0 {
        return;
    }
    if target.len() < 2 * GRAIN {
        target.chunks_exact_mut(columns).enumerate().for_each(|(row, values)| f(row, values));
    } else {
        let rows = GRAIN.div_ceil(columns);
        target.par_chunks_mut(rows * columns).enumerate().for_each(|(block, target)| {
            let values = target.chunks_exact_mut(columns).enumerate();
            values.for_each(|(row, values)| f(block * rows + row, values));
        });
    }
}

/// The sum of `f(vectors)` over rows of one length, as a part of another operation.
///
/// Four sums side by side, set down every so often, so that neither the time of one addition nor the rounding of
/// thousands adds up.
#[inline(always)]
pub(crate) fn sum<S: Simd, const N: usize>(
    simd: S,
    rows: [&[f32]; N],
    f: impl Fn([S::f32s; N]) -> S::f32s,
) -> f32 {
    let split = rows.map(|row| S::as_simd_f32s(row));
    let count = split[0].0.len();
    let split_vectors = split.map(|(vectors, _)| &vectors[..count]);
    let zero = simd.splat_f32s(0.0);
    let (mut total, mut i) = (zero, 0);
    while i < count {
        let mut parts = [zero; 4];
        let end = count.min(i + 128);
        while i + 4 <= end {
            for (k, part) in parts.iter_mut().enumerate() {
                *part = simd.add_f32s(*part, f(split_vectors.map(|vectors| vectors[i + k])));
            }
            i += 4;
        }
        while i < end {
            parts[0] = simd.add_f32s(parts[0], f(split_vectors.map(|vectors| vectors[i])));
            i += 1;
        }
        let [a, b, c, d] = parts;
        total = simd.add_f32s(total, simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)));
    }
    let rest = split[0].1.len();
    if rest > 0 {
        let values = f(split.map(|(_, rest)| simd.partial_load_f32s(rest)));
        // Lanes beyond the row hold f(0), which is not always zero.
        let mut lanes = [0.0; 16];
        simd.partial_store_f32s(&mut lanes[..S::F32_LANES], values);
        total = simd.add_f32s(total, simd.partial_load_f32s(&lanes[..rest]));
    }
    simd.reduce_sum_f32s(total)
}
