//! Integers in the place of floats: which, by what ranges, and a program that computes with them.

mod affine;
mod aware;
mod bias;
pub mod calibration;
mod config;
mod equalize;
mod fold;
mod mixed;
mod observe;
mod prepared;
mod program;
mod quantize;
mod sensitivity;
mod steps;

pub use affine::Affine;
pub use aware::{QuantizationAware, STEPS};
pub use config::{ActivationFormat, Formats, QuantizeConfig, WeightFormat};
pub use fold::integer_graph;
pub use mixed::{Raise, raises, until_good, within_size};
pub use observe::{Observed, observe};
pub use prepared::Prepared;
pub use program::Program;
pub use quantize::quantize;
pub use sensitivity::{Sensitivity, sensitivity};
