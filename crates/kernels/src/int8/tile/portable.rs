//! Sums by plain loops.

use super::super::weights::{DEPTH, LANES, Step};
use super::{Rows, Runs, Sums};

/// Writes the sums of a tile.
pub(super) fn fill(rows: &Rows<'_>, [count, panels]: [usize; 2], weights: &[Step], sums: &mut [Sums]) {
    let per_panel = rows.check(count, panels, weights);
    for (row, sums) in sums.chunks_exact_mut(panels).enumerate() {
        for (weights, sums) in weights.chunks_exact(per_panel).zip(sums) {
            sums.0 = panel(rows, row, weights);
        }
    }
}

/// The sums of one row and panel.
fn panel(rows: &Rows<'_>, row: usize, weights: &[Step]) -> [i32; LANES] {
    let Runs { lines: [lines, line], taps: [taps, tap], steps, .. } = rows.runs;
    let mut sums = [0; LANES];
    let mut weights = weights.iter();
    for y in 0..lines {
        for x in 0..taps {
            let start = y * line + x * tap;
            let run = &rows.bytes[row * rows.stride + start..][..steps * DEPTH];
            let (run, _) = run.as_chunks::<DEPTH>();
            for (inputs, weights) in run.iter().zip(weights.by_ref().take(steps)) {
                add(&mut sums, *inputs, weights);
            }
        }
    }
    if let Some(weights) = weights.next() {
        let rest = Rows { bytes: &rows.bytes[row * rows.stride..], ..*rows };
        let [inputs] = rest.tails();
        add(&mut sums, inputs, weights);
    }
    sums
}

#[inline(always)]
fn add(sums: &mut [i32; LANES], inputs: [u8; DEPTH], weights: &Step) {
    for (sum, weights) in sums.iter_mut().zip(&weights.0) {
        // The four weights of an output as one word, of which shifts take one after the other: loads of every fourth byte
        // would make no vectors.
        let word = i32::from_le_bytes(weights.map(i8::cast_unsigned));
        for (i, input) in inputs.into_iter().enumerate() {
            let weight = (word << (24 - 8 * i)) >> 24;
            *sum = sum.wrapping_add(i32::from(input) * weight);
        }
    }
}
