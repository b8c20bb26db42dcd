//! One head of one example, a block of queries at a time.

use pulp::{Simd, WithSimd};

use crate::{
    gemm::{self, View},
    simd, softmax, wide,
};

/// A matrix: a slice, and where in it.
type Matrix<'a> = (&'a [f32], View);

/// What one head reads: queries `[queries, columns]`, keys and values `[keys, columns]`.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) query: Matrix<'a>,
    pub(super) key: Matrix<'a>,
    pub(super) value: Matrix<'a>,
    /// Added to the scores of each key.
    pub(super) hidden: Option<&'a [f32]>,
    pub(super) causal: bool,
}

/// Room for blocks of scores.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    scores: Vec<f32>,
    by_scores: Vec<f32>,
}

/// Scores in a block: what fits a core's own cache.
const BLOCK: usize = 1 << 15;

/// Some queries, and how many keys the last of them sees.
#[derive(Debug, Clone, Copy)]
struct Block {
    first: usize,
    count: usize,
    seen: usize,
}

impl Block {
    /// Where its scores lie in the scratch.
    fn view(&self) -> View {
        View::rows(0, self.count, self.seen, self.seen)
    }

    fn of<'a>(&self, (values, view): Matrix<'a>) -> Matrix<'a> {
        (values, view.part(self.first, self.count))
    }

    fn seen_of<'a>(&self, (values, view): Matrix<'a>) -> Matrix<'a> {
        (values, view.part(0, self.seen))
    }
}

impl Head<'_> {
    fn blocks(&self) -> impl Iterator<Item = Block> + use<> {
        let (queries, keys, causal) = (self.query.1.rows, self.key.1.rows, self.causal);
        let block = (BLOCK / keys.max(1)).clamp(64, 256);
        (0..queries).step_by(block).map(move |first| {
            let count = block.min(queries - first);
            Block { first, count, seen: seen(first + count - 1, queries, keys, causal) }
        })
    }

    fn scale(&self) -> f32 {
        1.0 / (self.query.1.columns as f32).sqrt()
    }

    /// Scaled products of queries and keys, without masks.
    fn scores(&self, block: Block, scores: &mut Vec<f32>) {
        scores.resize(block.count * block.seen, 0.0);
        let (keys, view) = block.seen_of(self.key);
        let keys = (keys, view.transposed());
        gemm::product((scores, block.view()), false, self.scale(), block.of(self.query), keys);
    }

    /// A loop over the rows of a block's scores.
    fn rows<'a>(&'a self, block: Block, scores: &'a mut [f32], log_sum: &'a mut [f32]) -> Softmax<'a> {
        Softmax { head: self, block, scores, log_sum: &mut log_sum[block.first..][..block.count] }
    }

    /// Writes the output `[queries, columns]` and the logarithm of each row's sum of exponentials.
    pub(super) fn forward(&self, output: &mut [f32], log_sum: &mut [f32], scratch: &mut Scratch) {
        let columns = self.query.1.columns;
        for block in self.blocks() {
            let scores = &mut scratch.scores;
            self.scores(block, scores);
            simd::dispatch(self.rows(block, scores, log_sum));
            let to = View::rows(block.first * columns, block.count, columns, columns);
            gemm::product((output, to), false, 1.0, (scores, block.view()), block.seen_of(self.value));
        }
    }
}

/// Keys that a query may see.
fn seen(query: usize, queries: usize, keys: usize, causal: bool) -> usize {
    if causal { (query + 1 + keys).saturating_sub(queries).min(keys) } else { keys }
}

/// The first `seen` scores of a query with what hides their keys added; zeros behind them.
#[inline(always)]
fn mask<'a>(scores: &'a mut [f32], seen: usize, hidden: Option<&[f32]>) -> &'a mut [f32] {
    let (scores, behind) = scores.split_at_mut(seen);
    behind.fill(0.0);
    if let Some(hidden) = hidden {
        scores.iter_mut().zip(hidden).for_each(|(score, hidden)| *score += hidden);
    }
    scores
}

/// In the place of the logarithm of a sum: a query that sees no key. No sum of exponentials that are at most one gives it.
const BLIND: f32 = f32::INFINITY;

/// Turns scores into weights that sum to one; a row that sees nothing becomes zeros.
struct Softmax<'a> {
    head: &'a Head<'a>,
    block: Block,
    scores: &'a mut [f32],
    log_sum: &'a mut [f32],
}

impl Softmax<'_> {
    /// Keys that the block's row `row` sees.
    fn seen(&self, row: usize) -> usize {
        seen(self.block.first + row, self.head.query.1.rows, self.head.key.1.rows, self.head.causal)
    }
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in 0..self.block.count {
            let seen = self.seen(row);
            let scores = &mut self.scores[row * self.block.seen..][..self.block.seen];
            let scores = mask(scores, seen, self.head.hidden);
            // Asked of the masks: a row of scores that are −∞ of themselves is NaN, as of any softmax.
            let all_hidden = |hidden: &[f32]| hidden[..seen].iter().all(|&x| x == f32::NEG_INFINITY);
            self.log_sum[row] = if seen == 0 || self.head.hidden.is_some_and(all_hidden) {
                scores.fill(0.0);
                BLIND
            } else {
                normalize(simd, scores)
            };
        }
    }
}

/// Makes a row of scores weights: the logarithm of the sum of their exponentials.
#[inline(always)]
fn normalize<S: Simd>(simd: S, row: &mut [f32]) -> f32 {
    let largest = softmax::largest(simd, row);
    wide::map(simd, softmax::Power(largest), row);
    let sum = simd::sum(simd, [row], |[power]| power);
    simd::Update { f: softmax::Times(1.0 / sum), target: row, others: [] }.with_simd(simd);
    largest + sum.ln()
}

/// What the backward pass of one head reads besides.
pub(super) struct Gradient<'a> {
    pub(super) head: Head<'a>,
    pub(super) grad: Matrix<'a>,
    pub(super) log_sum: &'a [f32],
}

impl Gradient<'_> {
    /// Writes the gradients by query, key and value, each `[tokens, columns]`.
    pub(super) fn run(&self, [by_query, by_key, by_value]: [&mut [f32]; 3], scratch: &mut Scratch) {
        let (head, columns) = (&self.head, self.head.query.1.columns);
        let to = |first: usize, count: usize| View::rows(first * columns, count, columns, columns);
        let Scratch { scores, by_scores } = scratch;
        for block in head.blocks() {
            head.scores(block, scores);
            simd::dispatch(Weights { of: self, block, scores });
            by_scores.resize(scores.len(), 0.0);
            let (grad, view) = (block.of(self.grad), block.view());
            let keys = to(0, block.seen);
            gemm::product((by_value, keys), true, 1.0, (scores, view.transposed()), grad);
            let (values, value_view) = block.seen_of(head.value);
            gemm::product((by_scores, view), false, 1.0, grad, (values, value_view.transposed()));
            simd::dispatch(ByScores { block, weights: scores, by_scores });
            let queries = to(block.first, block.count);
            let scale = head.scale();
            gemm::product((by_query, queries), false, scale, (by_scores, view), block.seen_of(head.key));
            let query = block.of(head.query);
            gemm::product((by_key, keys), true, scale, (by_scores, view.transposed()), query);
        }
    }
}

/// Turns scores into weights once more, from the logarithms that the forward pass kept.
struct Weights<'a> {
    of: &'a Gradient<'a>,
    block: Block,
    scores: &'a mut [f32],
}

impl WithSimd for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Head { query, key, hidden, causal, .. } = self.of.head;
        for (row, scores) in self.scores.chunks_exact_mut(self.block.seen.max(1)).enumerate() {
            let query_row = self.block.first + row;
            let seen = seen(query_row, query.1.rows, key.1.rows, causal);
            let scores = mask(scores, seen, hidden);
            let log_sum = self.of.log_sum[query_row];
            if log_sum == BLIND {
                scores.fill(0.0);
            } else {
                wide::map(simd, softmax::Power(log_sum), scores);
            }
        }
    }
}

/// The gradient by the scores in the place of that by the weights.
struct ByScores<'a> {
    block: Block,
    weights: &'a [f32],
    by_scores: &'a mut [f32],
}

impl WithSimd for ByScores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.block.seen.max(1);
        let rows = self.by_scores.chunks_exact_mut(width).zip(self.weights.chunks_exact(width));
        rows.for_each(|(grad, y)| softmax::Backward { y, grad, log: false }.with_simd(simd));
    }
}
