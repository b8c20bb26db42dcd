//! Training with a guarantee of privacy, and measuring what leaks.
//!
//! The guarantee is (ε, δ)-differential privacy of single examples: whether any one example was added or removed changes
//! the probability of no set of outcomes by more than a factor `exp(ε)`, but for a probability of δ.

pub mod accountants;
pub mod audit;
pub mod clipping;
mod error;
mod log_sum;
pub mod membership;
mod phase;

pub use error::{PrivacyError, Refused};
pub use phase::Phase;
