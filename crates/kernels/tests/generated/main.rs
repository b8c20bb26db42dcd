//! Every operation over generated shapes, layouts and sizes of numbers: outputs and gradients against the same made of
//! Burn's operations in float64, and outputs against loops that follow the definition.
//!
//! The cases are the same each time. `PROPTEST_RNG_SEED` draws others, `PROPTEST_CASES` another number of them, and
//! `--nocapture` shows the largest errors.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking, and print"
)]

mod affine;
mod attention;
mod batch_norm;
mod conv2d;
mod cross_entropy;
mod embedding;
mod input;
mod int8;
mod layer_norm;
mod optimizer_step;
mod pooling;
mod property;
mod smooth;
mod softmax;
mod sums;
