//! Fused CPU operations with their own backward passes.
//!
//! Burn's autodiff records one node per primitive. An operation here is one node with a hand-written backward
//! pass, and on the CPU ([`Flex`](burn::backend::Flex)) one pass over memory; on any other device the same call
//! falls back to Burn's own operations, the defaults of its trait, and its tests hold the two against each other.
//!
//! One operation, one file: the function that callers use, the trait that Burn dispatches by, its default made of
//! Burn's primitives, the CPU's own, and the backward pass.
//!
//! [`int8`] stands apart: products of bytes for quantized networks, over slices, without Burn and without gradients.

mod activation;
mod affine;
mod attention;
mod avg_pool2d;
mod axpby;
mod batch_norm;
mod conv2d;
mod cross_entropy;
mod embedding;
mod flex;
mod gemm;
#[cfg(feature = "wgpu")]
mod gpu;
pub mod int8;
mod layer_norm;
mod leaky_relu;
mod low_rank;
mod math;
mod max_pool2d;
mod memory;
mod norm;
mod normals;
mod optimizer_step;
mod simd;
mod softmax;
mod tape;
#[cfg(test)]
mod testing;
mod transposed_products;
mod watched;
mod wide;
mod windows;

pub use activation::{Smooth, smooth};
pub use affine::{Fused, affine};
pub use attention::{Attention, attention, self_attention};
pub use avg_pool2d::{AvgPool2d, avg_pool2d};
pub use axpby::axpby;
pub use batch_norm::{BatchNormalized, batch_norm, batch_norm_train};
pub use conv2d::{Conv2d, conv_transpose2d, conv2d, conv2d_example_gradients, conv2d_weight_gradient};
pub use cross_entropy::softmax_cross_entropy;
pub use embedding::embedding;
pub use layer_norm::layer_norm;
pub use leaky_relu::leaky_relu;
pub use low_rank::affine_low_rank;
pub use max_pool2d::{MaxPool2d, max_pool2d, max_pool2d_with};
pub use memory::keep_freed_memory;
pub use norm::{norm, row_norms};
pub use normals::{NORMALS, normals};
pub use optimizer_step::{Rule, optimizer_step};
pub use softmax::{log_softmax, softmax};
pub use transposed_products::transposed_products;
pub use watched::watched;
