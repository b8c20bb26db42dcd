//! Matrix products over views of slices, through the `gemm` crate.

use gemm::Parallelism;
use rayon::prelude::*;

use crate::simd::WIDEST;

/// A matrix in a slice: where it begins, its size, and the steps between rows and columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) start: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_step: usize,
    pub(crate) column_step: usize,
}

impl View {
    /// Rows one after another, `row_step` apart, each contiguous.
    pub(crate) fn rows(start: usize, rows: usize, columns: usize, row_step: usize) -> Self {
        Self { start, rows, columns, row_step, column_step: 1 }
    }

    pub(crate) fn transposed(self) -> Self {
        let Self { start, rows, columns, row_step, column_step } = self;
        Self { start, rows: columns, columns: rows, row_step: column_step, column_step: row_step }
    }

    /// `count` rows from row `first` on.
    pub(crate) fn part(self, first: usize, count: usize) -> Self {
        debug_assert!(first + count <= self.rows);
        Self { start: self.start + first * self.row_step, rows: count, ..self }
    }

    fn is_inside(&self, length: usize) -> bool {
        let last =
            self.rows.saturating_sub(1) * self.row_step + self.columns.saturating_sub(1) * self.column_step;
        self.rows == 0 || self.columns == 0 || self.start + last < length
    }
}

/// Floating-point operations below which one thread is faster than two.
const PARALLEL: usize = 1 << 21;

/// `target = factor · a · b`, added to what is there if `add`, on this thread.
///
/// # Panics
///
/// Where the sizes differ or a view leaves its slice.
pub(crate) fn product(
    target: (&mut [f32], View),
    add: bool,
    factor: f32,
    a: (&[f32], View),
    b: (&[f32], View),
) {
    multiply(target, add, factor, a, b, Sharing::None);
}

/// [`product`] on all threads where it is large enough.
pub(crate) fn parallel_product(
    target: (&mut [f32], View),
    add: bool,
    factor: f32,
    a: (&[f32], View),
    b: (&[f32], View),
) {
    let (m, n, k) = (target.1.rows, target.1.columns, a.1.columns);
    if 2 * m * n * k < PARALLEL {
        multiply(target, add, factor, a, b, Sharing::None);
    } else if k >= LONG * m.max(n) {
        sum_of_products(target, add, factor, a, b);
    } else if 2 * m * n * k < LARGE {
        multiply(target, add, factor, a, b, Sharing::Halves);
    } else {
        multiply(target, add, factor, a, b, Sharing::Blocks);
    }
}

/// How the threads share a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    None,
    /// Each takes half of the target's longer side.
    Halves,
    /// As the `gemm` crate does: block after block of the sums, after each of which the threads meet.
    Blocks,
}

/// Floating-point operations below which threads that meet at every block wait longer for each other than they work.
const LARGE: usize = 1 << 26;

/// How many times its sides a product's sums must be long for their parts to be handed to the threads.
const LONG: usize = 32;

/// Parts of such a sum, whatever the number of threads.
const PARTS: usize = 8;

/// `multiply` in parts along the sums, which are then added up in order: a small target leaves the threads little to
/// share, and each would pack the same long rows.
fn sum_of_products(
    (target, to): (&mut [f32], View),
    add: bool,
    factor: f32,
    (a, av): (&[f32], View),
    (b, bv): (&[f32], View),
) {
    let (m, n, k) = (to.rows, to.columns, av.columns);
    let length = k.div_ceil(PARTS);
    let part = |first: usize| {
        let count = length.min(k - first);
        let mut product = vec![0.0; m * n];
        let columns = av.transposed().part(first, count).transposed();
        let place = (&mut product[..], View::rows(0, m, n, n));
        multiply(place, false, factor, (a, columns), (b, bv.part(first, count)), Sharing::None);
        product
    };
    let parts: Vec<_> = (0..k).into_par_iter().step_by(length).map(part).collect();
    for row in 0..m {
        for column in 0..n {
            let sum = &mut target[to.start + row * to.row_step + column * to.column_step];
            let start = if add { *sum } else { 0.0 };
            *sum = parts.iter().fold(start, |sum, part| sum + part[row * n + column]);
        }
    }
}

fn multiply(
    (target, to): (&mut [f32], View),
    add: bool,
    factor: f32,
    (a, av): (&[f32], View),
    (b, bv): (&[f32], View),
    sharing: Sharing,
) {
    if sharing == Sharing::Halves && to.rows > to.columns {
        // Columns are shared out below: the same product, transposed.
        let (to, a, b) = (to.transposed(), (b, bv.transposed()), (a, av.transposed()));
        return multiply((target, to), add, factor, a, b, sharing);
    }
    assert!(
        to.rows == av.rows && to.columns == bv.columns && av.columns == bv.rows,
        "{to:?} = {av:?} · {bv:?}"
    );
    assert!(
        to.is_inside(target.len()) && av.is_inside(a.len()) && bv.is_inside(b.len()),
        "a view leaves its slice"
    );
    assert!(
        to.rows <= 1 || to.columns <= 1 || to.row_step >= to.columns || to.column_step >= to.rows,
        "{to:?}"
    );
    let (m, n, k) = (to.rows, to.columns, av.columns);
    if m == 0 || n == 0 {
        return;
    }
    let step = |step: usize| isize::try_from(step).expect("a slice is shorter than isize::MAX");
    let target = Target(target.as_mut_ptr());
    let columns = |first: usize, count: usize, threads: Parallelism| {
        let Target(target) = &target;
        // SAFETY: every element of the three views lies inside its slice (asserted above), elements of the target are
        // distinct (asserted above), so that calls for different columns write different ones, and `target` is borrowed
        // mutably, so that it overlaps neither `a` nor `b`.
        #[expect(unsafe_code, reason = "the gemm crate takes pointers and strides")]
        unsafe {
            gemm::gemm(
                m,
                count,
                k,
                target.add(to.start + first * to.column_step),
                step(to.column_step),
                step(to.row_step),
                add,
                a.as_ptr().add(av.start),
                step(av.column_step),
                step(av.row_step),
                b.as_ptr().add(bv.start + first * bv.column_step),
                step(bv.column_step),
                step(bv.row_step),
                1.0,
                factor,
                false,
                false,
                false,
                threads,
            );
        }
    };
    match sharing {
        Sharing::None => columns(0, n, Parallelism::None),
        Sharing::Blocks => columns(0, n, Parallelism::Rayon(0)),
        Sharing::Halves => {
            // Halves on any number of threads: how the sums are cut depends on the columns.
            let middle = (n / 2).next_multiple_of(WIDEST).min(n);
            let half = |first: usize, end: usize| columns(first, end - first, Parallelism::None);
            rayon::join(|| half(0, middle), || half(middle, n));
        }
    }
}

/// A pointer that threads share, each to write elements of its own.
struct Target(*mut f32);

// SAFETY: the only use, in `multiply`, writes through it to elements that no other thread reads or writes.
#[expect(unsafe_code, reason = "columns of a row-major matrix are no slices that could be split")]
unsafe impl Sync for Target {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against float64, for a target that is written and one that is added to, and the same bytes on one thread.
    #[test]
    fn shared_products_are_exact_and_the_same_on_one_thread() {
        let long = [(1, 1, 2_000_001), (3, 40, 9001), (64, 128, 9216)];
        let short = [(64, 128, 784), (784, 130, 64), (33, 300, 200)];
        for (m, n, k) in long.into_iter().chain(short) {
            let values = |count: usize, step: usize| -> Vec<f32> {
                (0..count).map(|i| ((i * step % 1009) as f32) / 504.0 - 1.0).collect()
            };
            let (a, b) = (values(m * k, 37), values(n * k, 91));
            // The second matrix is stored transposed.
            let views = (View::rows(0, m, k, k), View::rows(0, n, k, k).transposed());
            let run = |add: bool| {
                let mut target = vec![0.5; m * n];
                let place = (&mut target[..], View::rows(0, m, n, n));
                parallel_product(place, add, 2.0, (&a, views.0), (&b, views.1));
                target
            };
            let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            for add in [false, true] {
                let target = run(add);
                assert!(one.install(|| run(add)) == target);
                for (i, value) in target.iter().enumerate().step_by(7) {
                    let rows = a[i / n * k..][..k].iter().zip(&b[i % n * k..][..k]);
                    let terms = rows.map(|(a, b)| 2.0 * f64::from(*a) * f64::from(*b));
                    let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()));
                    let start = if add { 0.5 } else { 0.0 };
                    assert!((f64::from(*value) - sum - start).abs() <= 1e-6 * size, "{value} {sum}");
                }
            }
        }
    }
}
