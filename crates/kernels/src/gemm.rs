//! Matrix products over views of slices, through the `gemm` crate.

use gemm::Parallelism;

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

    fn is_inside(&self, length: usize) -> bool {
        let last =
            self.rows.saturating_sub(1) * self.row_step + self.columns.saturating_sub(1) * self.column_step;
        self.rows == 0 || self.columns == 0 || self.start + last < length
    }
}

/// Floating-point operations below which one thread is faster than two.
const PARALLEL: usize = 1 << 21;

/// `target = factor · a · b`, added to what is there if `add`.
///
/// # Panics
///
/// Where the sizes differ or a view leaves its slice.
pub(crate) fn product(
    (target, to): (&mut [f32], View),
    add: bool,
    factor: f32,
    (a, av): (&[f32], View),
    (b, bv): (&[f32], View),
) {
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
    let parallel = 2 * m * n * k >= PARALLEL;
    let step = |step: usize| isize::try_from(step).expect("a slice is shorter than isize::MAX");
    // SAFETY: every element of the three views lies inside its slice (asserted above), elements of the target are
    // distinct (asserted above), and `target` is borrowed mutably, so that it overlaps neither `a` nor `b`.
    #[expect(unsafe_code, reason = "the gemm crate takes pointers and strides")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            target.as_mut_ptr().add(to.start),
            step(to.column_step),
            step(to.row_step),
            add,
            a.as_ptr().add(av.start),
            step(av.column_step),
            step(av.row_step),
            b.as_ptr().add(bv.start),
            step(bv.column_step),
            step(bv.row_step),
            1.0,
            factor,
            false,
            false,
            false,
            if parallel { Parallelism::Rayon(0) } else { Parallelism::None },
        );
    }
}
