//! Integers in the place of floats: which, by what ranges, and a program that computes with them.

mod affine;
pub mod calibration;
mod equalize;
mod fold;
mod observe;
mod program;
mod quantize;
mod sensitivity;

pub use affine::Affine;
pub use fold::integer_graph;
pub use observe::{Observed, observe};
pub use program::Program;
pub use quantize::{ActivationFormat, QuantizeConfig, WeightFormat, quantize};
pub use sensitivity::{Sensitivity, sensitivity};
