//! Networks in integers, and networks that are smaller.
//!
//! [`quantize`] makes an [`Archive`] of a network: its tensors in integers, and what to compute with them. [`Compressed`]
//! is what an archive is opened to: a network as any other, that computes in integers where only its answers are asked
//! for ([`Program`]). [`pruning`] removes weights, [`share`] makes few values of many, and what is left of them is coded
//! ([`Coded`]): Deep Compression.
//!
//! [`Distillation`] is an objective of training: a network learns from another one's answers, and can be far smaller.

mod affine;
mod archive;
pub mod calibration;
mod coding;
mod distillation;
mod equalize;
mod error;
mod fold;
mod network;
mod observe;
mod parameters;
mod program;
pub mod pruning;
mod quantize;
mod sensitivity;
mod sharing;
mod stored;

pub use affine::Affine;
pub use archive::{Archive, Arithmetic};
pub use distillation::{Answer, DistillConfig, DistillError, DistillProblem, Distillation, FeaturesConfig};
pub use error::{ArchiveError, CompressError};
pub use fold::integer_graph;
pub use network::{Compressed, OpenError};
pub use observe::{Observed, observe};
pub use program::Program;
pub use quantize::{ActivationFormat, QuantizeConfig, WeightFormat, quantize};
pub use sensitivity::{Sensitivity, sensitivity};
pub use sharing::share;
pub use stored::{Coded, Integers, Stored};
