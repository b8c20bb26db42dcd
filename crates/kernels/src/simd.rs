//! Loops over slices with the widest instructions of this processor, on both cores where that pays.
//!
//! `pulp` picks AVX-512, AVX2, NEON or plain code at run time; an operation is written once, over its vector type.

#![expect(
    clippy::needless_range_loop,
    reason = "an iterator's closure that is not inlined keeps vectors in memory, not in registers"
)]

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Elements below which another thread costs more than it brings: about 10 µs of an elementwise loop.
pub(crate) const GRAIN: usize = 1 << 14;

/// Values in the widest vector.
pub(crate) const WIDEST: usize = 16;

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
        // Plain loops: closures that are not inlined would be compiled for the plainest processor.
        let (vectors, rest) = S::as_mut_simd_f32s(target);
        let zero = simd.splat_f32s(0.0);
        let whole = vectors.len();
        let mut sources: [&[S::f32s]; N] = [&[]; N];
        let mut last = [zero; N];
        for n in 0..N {
            let (vectors, rest) = S::as_simd_f32s(others[n]);
            sources[n] = &vectors[..whole];
            last[n] = simd.partial_load_f32s(rest);
        }
        for i in 0..whole {
            let mut values = [zero; N];
            for n in 0..N {
                values[n] = sources[n][i];
            }
            vectors[i] = f.apply(simd, vectors[i], values);
        }
        if !rest.is_empty() {
            let value = f.apply(simd, simd.partial_load_f32s(rest), last);
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
        // Plain loops, as in [`Update`].
        let zero = simd.splat_f32s(0.0);
        for i in 0..others.len() {
            let mut values = [zero; N];
            for n in 0..N {
                values[n] = split[n].0[i];
            }
            let values = f.apply(simd, values, others[i]);
            for n in 0..N {
                split[n].0[i] = values[n];
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

/// Parts of `target`, handed to `f` with the index of their first value; in parallel where there is enough to do.
pub(crate) fn each_part(target: &mut [f32], f: impl Fn(usize, &mut [f32]) + Sync) {
    const PART: usize = GRAIN / 4;
    if target.len() < 2 * GRAIN {
        target.chunks_mut(PART).enumerate().for_each(|(part, values)| f(part * PART, values));
    } else {
        target.par_chunks_mut(PART).enumerate().for_each(|(part, values)| f(part * PART, values));
    }
}

/// Rows of `columns` values each, handed to `f` with their index; in parallel where there is enough to do.
pub(crate) fn each_row(target: &mut [f32], columns: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    each_row_of([target], columns, |row, [values]| f(row, values));
}

/// The same rows of several targets.
pub(crate) fn each_row_of<const N: usize>(
    targets: [&mut [f32]; N],
    columns: usize,
    f: impl Fn(usize, [&mut [f32]; N]) + Sync,
) {
    let length = targets[0].len();
    assert!(targets.iter().all(|target| target.len() == length), "targets of one length");
    if columns == 0 {
        return;
    }
    let run = |first: usize, targets: [&mut [f32]; N]| {
        let mut rows = targets.map(|target| target.chunks_exact_mut(columns));
        for row in first..first + rows[0].len() {
            f(row, rows.each_mut().map(|rows| rows.next().expect("one row each")));
        }
    };
    if length < 2 * GRAIN {
        run(0, targets);
    } else {
        let rows = GRAIN.div_ceil(columns);
        let mut blocks = targets.map(|target| target.chunks_mut(rows * columns));
        let blocks: Vec<_> = (0..length.div_ceil(rows * columns))
            .map(|_| blocks.each_mut().map(|blocks| blocks.next().expect("one block each")))
            .collect();
        blocks.into_par_iter().enumerate().for_each(|(block, targets)| run(block * rows, targets));
    }
}

/// Rows that float32 adds up one by one without losing digits that matter: each addition rounds, and where all values
/// are alike, always the same way.
pub(crate) const SUMMED: usize = 128;

/// Blocks of rows of `columns` values, handed to `f` with the index of their first row and `sums` sums to add to; the
/// sums of all blocks together. Blocks are of a fixed size, so that the sums do not depend on the number of threads.
pub(crate) fn rows_and_sums(
    target: &mut [f32],
    columns: usize,
    sums: usize,
    f: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) -> Vec<f32> {
    if columns == 0 || target.is_empty() {
        return vec![0.0; sums];
    }
    let rows = GRAIN.div_ceil(columns);
    let run = |(block, target): (usize, &mut [f32])| {
        let parts = target.chunks_mut(SUMMED * columns).enumerate().map(|(part, target)| {
            let mut sums = vec![0.0; sums];
            f(block * rows + part * SUMMED, target, &mut sums);
            sums
        });
        add_up(sums, parts)
    };
    if target.len() <= rows * columns {
        return run((0, target));
    }
    let parts: Vec<_> = target.par_chunks_mut(rows * columns).enumerate().map(run).collect();
    add_up(sums, parts)
}

/// The sums of all parts, added in their order.
pub(crate) fn add_up(length: usize, parts: impl IntoIterator<Item = Vec<f32>>) -> Vec<f32> {
    let mut parts = parts.into_iter();
    let (first, second) = (parts.next(), parts.next());
    let Some(second) = second else { return first.unwrap_or_else(|| vec![0.0; length]) };
    let mut total = vec![0.0; length];
    for part in first.into_iter().chain([second]).chain(parts) {
        total.iter_mut().zip(part).for_each(|(sum, part)| *sum += f64::from(part));
    }
    total.into_iter().map(|sum| sum as f32).collect()
}

/// The sum of the rows of `columns` values.
pub(crate) fn sum_rows(values: &[f32], columns: usize) -> Vec<f32> {
    if columns == 0 || values.is_empty() {
        return vec![0.0; columns];
    }
    let block = GRAIN.div_ceil(columns) * columns;
    let run = |values: &[f32]| {
        let parts = values.chunks(SUMMED * columns).map(|rows| {
            let mut sums = vec![0.0; columns];
            dispatch(SumRows { rows, sums: &mut sums });
            sums
        });
        add_up(columns, parts)
    };
    if values.len() <= block {
        return run(values);
    }
    let parts: Vec<_> = values.par_chunks(block).map(run).collect();
    add_up(columns, parts)
}

/// Adds each row to `sums`.
pub(crate) struct SumRows<'a> {
    pub(crate) rows: &'a [f32],
    pub(crate) sums: &'a mut [f32],
}

impl WithSimd for SumRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.rows.chunks_exact(self.sums.len()) {
            Update { f: Sum, target: self.sums, others: [row] }.with_simd(simd);
        }
    }
}

/// The target plus the value.
#[derive(Clone, Copy)]
pub(crate) struct Sum;

impl Lanes<1> for Sum {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, sum: S::f32s, [value]: [S::f32s; 1]) -> S::f32s {
        simd.add_f32s(sum, value)
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
    let zero = simd.splat_f32s(0.0);
    let mut split: [&[S::f32s]; N] = [&[]; N];
    let mut last = [zero; N];
    let count = rows[0].len() / S::F32_LANES;
    for n in 0..N {
        let (vectors, rest) = S::as_simd_f32s(rows[n]);
        split[n] = &vectors[..count];
        last[n] = simd.partial_load_f32s(rest);
    }
    let (mut total, mut i) = (zero, 0);
    while i < count {
        let mut parts = [zero; 4];
        let end = count.min(i + 128);
        let mut add = |part: usize, i: usize| {
            let mut values = [zero; N];
            for n in 0..N {
                values[n] = split[n][i];
            }
            parts[part] = simd.add_f32s(parts[part], f(values));
        };
        while i + 4 <= end {
            add(0, i);
            add(1, i + 1);
            add(2, i + 2);
            add(3, i + 3);
            i += 4;
        }
        while i < end {
            add(0, i);
            i += 1;
        }
        for part in parts {
            total = simd.add_f32s(total, part);
        }
    }
    let rest = rows[0].len() % S::F32_LANES;
    if rest > 0 {
        // Lanes beyond the row hold f(0), which is not always zero.
        let mut lanes = [0.0; WIDEST];
        simd.partial_store_f32s(&mut lanes[..rest], f(last));
        total = simd.add_f32s(total, simd.partial_load_f32s(&lanes[..rest]));
    }
    simd.reduce_sum_f32s(total)
}
