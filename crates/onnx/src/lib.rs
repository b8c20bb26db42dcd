//! A network's graph as an ONNX file.
//!
//! [`export`] writes a [`Graph`](crucible_models::Graph), floating-point or with a [`Quantization`], as the bytes of a
//! `model.onnx`. The file reads `input`, `[batch, features]`, flat as everywhere outside a network, and gives `output`,
//! `[batch, outputs]`; any batch will do. Initializers have the names of the parameters that they hold, nodes those of
//! their layers; what a layer needs besides is named after it, `fc1/Relu`. The same graph gives the same bytes.
//!
//! An operation of Crucible is one file of `operations`. The crate reads no ONNX, runs nothing, and does not choose how
//! to quantize. [`proto`] holds ONNX's own messages, for whoever wants to look into a file.

mod builder;
mod check;
mod error;
mod export;
mod operations;
pub mod proto;
mod quantization;
mod quantize;
mod site;
mod tensor;

pub use error::ExportError;
pub use export::export;
pub use quantization::{Affine, Quantization, Weights};
