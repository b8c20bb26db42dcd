//! A block of the product: some rows by some panels of outputs, whose sums stay in registers.

#![expect(
    clippy::needless_range_loop,
    reason = "an iterator's closure that is not inlined would keep sums in memory"
)]

/// Calls a tile of known size, so that its sums stay in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! sized {
    ($size:expr, $tile:ident($a:expr, $b:expr, $c:expr), $([$($rows:literal)*] by $panels:literal),*) => {
        match $size {
            $($([$rows, $panels] => $tile::<$rows, $panels>($a, $b, $c),)*)*
            [rows, panels] => unreachable!("a tile of {rows} rows and {panels} panels"),
        }
    };
}

/// A block for each row of a tile: written out, because the compiler does not unroll loops of this size, and sums of a row
/// that is not known to it are not in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! unrolled {
    ($rows:ident, |$row:ident| $body:block) => {
        unrolled!($rows, |$row| $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    ($rows:ident, |$row:ident| $body:block, $($index:literal)*) => {
        $(if $index < $rows {
            let $row = $index;
            $body
        })*
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;
#[cfg(target_arch = "x86_64")]
mod vnni;

use super::{
    PackedWeights, Path, Stage,
    path::Checked,
    stage::Finish,
    weights::{DEPTH, LANES, Step},
};

/// The most sums that a tile has, of 16 outputs each.
const MOST: usize = 28;

/// The sums of 16 outputs. Those that lay across two cache lines would be slow to read back.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Sums(pub(super) [i32; LANES]);

/// The bytes that a row is multiplied by the weights of: runs that lie side by side in memory, found by two steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs {
    /// How many lines of runs there are, and the bytes between two.
    pub(super) lines: [usize; 2],
    /// How many runs a line has, and the bytes between two.
    pub(super) taps: [usize; 2],
    /// Whole steps of a run.
    pub(super) steps: usize,
    /// Bytes after the last run, which fill no step.
    pub(super) tail: usize,
}

/// Rows of bytes, each the same number of bytes after the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    /// From the first byte of the first row on.
    pub(super) bytes: &'a [u8],
    pub(super) stride: usize,
    pub(super) runs: Runs,
}

impl Rows<'_> {
    /// That all bytes of `rows` rows are there, and all weights of `panels` panels. Gives the steps of a panel.
    #[inline(always)]
    fn check(&self, rows: usize, panels: usize, weights: &[Step]) -> usize {
        let Runs { lines: [lines, line], taps: [taps, tap], steps, tail } = self.runs;
        let last = [(rows - 1, self.stride), (lines - 1, line), (taps - 1, tap), (steps, DEPTH), (tail, 1)];
        let mut end = 0usize;
        for (count, bytes) in last {
            // What the loads rely on must not wrap.
            end = end.saturating_add(count.saturating_mul(bytes));
        }
        assert!(end <= self.bytes.len(), "{end} bytes of {}", self.bytes.len());
        let per_panel = lines * taps * steps + usize::from(tail > 0);
        assert!(weights.len() == panels * per_panel, "{} steps for {panels} of {per_panel}", weights.len());
        per_panel
    }

    /// Hands each step to `add`: where its bytes of the first row are, the bytes between two rows, and which step of a
    /// panel it is.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn each_step<const ROWS: usize>(&self, mut add: impl FnMut(*const u8, usize, usize)) {
        let Runs { lines: [lines, line], taps: [taps, tap], steps, tail } = self.runs;
        let tails = self.tails::<ROWS>();
        let (mut y, mut x, mut step) = (0, 0, 0);
        loop {
            // The tails are one more run, so that the sums' code stands here once.
            let (mut input, stride, steps) = if y < lines {
                (self.bytes.as_ptr().wrapping_add(y * line + x * tap), self.stride, steps)
            } else {
                (tails.as_ptr().cast(), DEPTH, usize::from(tail > 0))
            };
            for _ in 0..steps {
                add(input, stride, step);
                input = input.wrapping_add(DEPTH);
                step += 1;
            }
            if y == lines {
                break;
            }
            [y, x] = if x + 1 < taps { [y, x + 1] } else { [y + 1, 0] };
        }
    }

    /// The last bytes of some rows, which fill no step, with zeros after them.
    #[inline(always)]
    fn tails<const ROWS: usize>(&self) -> [[u8; DEPTH]; ROWS] {
        let Runs { lines: [lines, line], taps: [taps, tap], steps, tail } = self.runs;
        let start = (lines - 1) * line + (taps - 1) * tap + steps * DEPTH;
        let mut tails = [[0; DEPTH]; ROWS];
        for row in 0..ROWS {
            for i in 0..tail {
                tails[row][i] = self.bytes[row * self.stride + start + i];
            }
        }
        tails
    }
}

/// How the rows of a product lie: `count` lines of `length` rows each, `stride` bytes apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    pub(super) count: usize,
    pub(super) length: usize,
    pub(super) stride: usize,
}

/// The product of lines of rows by all weights, and what `stage` makes of it: `[lines, rows of a line, outputs]`. `rows`
/// are those of the first line.
pub(super) fn product<S: Stage>(
    path: Checked,
    rows: Rows<'_>,
    lines: Lines,
    weights: &PackedWeights,
    stage: &S,
    target: &mut [S::Value],
) {
    if lines.length == 0 {
        return;
    }
    let outputs = weights.outputs();
    let mut sums = [Sums([0; LANES]); MOST];
    let tiles = lines.length.div_ceil(most_rows(path.path()));
    let mut panel = 0;
    // One group of panels for all rows, so that its weights are read from memory once.
    while panel < weights.panels() {
        let panels = panels_at_once(path.path(), lines.length.div_ceil(tiles), weights.panels() - panel);
        let steps = weights.panel_steps(panel, panels);
        for tile in 0..lines.count * tiles {
            let (line, tile) = (tile / tiles, tile % tiles);
            // Tiles of about one height: a last one of few rows would wait for its own sums.
            let [first, end] = [tile, tile + 1].map(|tile| tile * lines.length / tiles);
            let sums = &mut sums[..(end - first) * panels];
            let rows = Rows { bytes: &rows.bytes[line * lines.stride + first * rows.stride..], ..rows };
            fill(path, &rows, [end - first, panels], steps, sums);
            let done = line * lines.length;
            let target = &mut target[(done + first) * outputs..(done + end) * outputs];
            Finish { stage: *stage, sums, panels, first: panel * LANES, outputs, target }.run_on(path);
        }
        panel += panels;
    }
}

/// The most rows of a tile, of which the registers hold the sums.
fn most_rows(path: Path) -> usize {
    match path {
        Path::Avx512Vnni => 14,
        Path::Avx2 => 4,
        Path::Portable => 1,
    }
}

/// Panels of a tile of at most `rows` rows: more where there are few, so that no sum waits for its own last addition.
fn panels_at_once(path: Path, rows: usize, left: usize) -> usize {
    let most = match (path, rows) {
        (Path::Avx512Vnni, 1..=2) => 8,
        (Path::Avx512Vnni, 3..=6) | (Path::Avx2, 1) => 4,
        (Path::Avx512Vnni, _) | (Path::Avx2, 2) => 2,
        _ => 1,
    };
    [8, 4, 2, 1].into_iter().find(|panels| *panels <= most.min(left)).unwrap_or(1)
}

/// Writes the sums `[rows, panels]` of a tile.
fn fill(path: Checked, rows: &Rows<'_>, [count, panels]: [usize; 2], weights: &[Step], sums: &mut [Sums]) {
    match path.path() {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512Vnni => {
            #[expect(unsafe_code, reason = "instructions that not every processor has")]
            // SAFETY: A checked path is one that the processor has.
            unsafe {
                vnni::fill(rows, [count, panels], weights, sums);
            }
        }
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => {
            #[expect(unsafe_code, reason = "instructions that not every processor has")]
            // SAFETY: As above.
            unsafe {
                avx2::fill(rows, [count, panels], weights, sums);
            }
        }
        _ => portable::fill(rows, [count, panels], weights, sums),
    }
}
