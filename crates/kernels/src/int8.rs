//! Products of bytes: the layers of a quantized network, as pure functions over slices.
//!
//! Activations are `u8`, weights `i8`, sums `i32`; a picture lies with its channels last. What a layer makes of its sums
//! is a [`Stage`]: bytes again ([`Requantize`]) or numbers ([`Dequantize`]). Every function takes a [`Path`], the
//! instructions that it is to use, and writes the same bytes on all of them. None starts a thread: whoever calls shares a
//! batch out.

mod conv2d;
mod linear;
mod path;
mod pool;
mod quantize;
mod stage;
mod tile;
mod vectors;
mod weights;

pub use conv2d::{ConvShape, conv2d};
pub use linear::linear;
pub use path::Path;
pub use pool::{PoolShape, avg_pool2d, max_pool2d};
pub use quantize::{dequantize, quantize, range};
pub use stage::{Dequantize, Requantize, Stage};
pub use weights::PackedWeights;
