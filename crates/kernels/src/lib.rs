//! Fused CPU operations with their own backward passes.
//!
//! Burn's autodiff records one node per primitive. An operation here is one node with a hand-written backward
//! pass, and on the CPU ([`Flex`](burn::backend::Flex)) one pass over memory; on any other device the same call
//! falls back to Burn's own operations. Each stands beside a plain-Burn reference in its tests.
//!
//! One operation, one file; [`Kernels`] lists them.

mod affine;
mod axpby;
mod cross_entropy;
mod ops;

pub use affine::{Fused, affine};
pub use axpby::axpby;
pub use cross_entropy::softmax_cross_entropy;
pub use ops::Kernels;
