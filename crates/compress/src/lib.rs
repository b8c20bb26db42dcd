//! Networks in integers, and networks that are smaller.
//!
//! [`quantize`] makes an [`Archive`] of a network: its tensors in integers, and what to compute with them. [`Compressed`]
//! is what an archive is opened to: a network as any other, that computes in integers where only its answers are asked
//! for ([`Program`]). [`pruning`] removes weights, [`share`] makes few values of many, and what is left of them is coded
//! ([`Coded`]): Deep Compression.
//!
//! [`Distillation`] is an objective of training: a network learns from another one's answers, and can be far smaller.

mod archive;
mod coding;
mod distillation;
mod error;
mod network;
mod parameters;
pub mod pruning;
mod quantization;
mod sharing;
mod stored;

pub use archive::{Archive, Arithmetic};
pub use distillation::{Answer, DistillConfig, DistillError, DistillProblem, Distillation, FeaturesConfig};
pub use error::{ArchiveError, CompressError};
pub use network::{Compressed, OpenError};
pub use quantization::{
    ActivationFormat, Affine, Formats, Observed, Prepared, Program, QuantizationAware, QuantizeConfig, Raise,
    STEPS, Sensitivity, WeightFormat, calibration, integer_graph, observe, quantize, raises, sensitivity,
    until_good, within_size,
};
pub use sharing::share;
pub use stored::{Coded, Integers, Stored};
