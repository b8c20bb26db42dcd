//! Training with a guarantee of privacy, and measuring what leaks.
//!
//! The guarantee is (ε, δ)-differential privacy of single examples: whether any one example was added or removed changes
//! the probability of no set of outcomes by more than a factor `exp(ε)`, but for a probability of δ.

pub mod accountants;
pub mod audit;
pub mod clipping;
mod dp_sgd;
mod draws;
mod error;
pub mod extraction;
mod ledger;
mod log_sum;
pub mod membership;
mod phase;
pub mod shadows;

pub use dp_sgd::{ACCOUNTANT, DpSgd, Plan, Problem};
pub use draws::{Draws, Noise};
pub use error::{PrivacyError, Refused};
pub use ledger::{Entry, LEDGER, Ledger};
pub use phase::Phase;
