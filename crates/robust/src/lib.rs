//! Attacks on a classifier, and what is certain about it.
//!
//! An attack moves inputs within a ball around each and within the range of valid inputs ([`Threat`]), and asks the
//! model ([`Victim`]) for gradients, scores or decisions. [`AttackConfig`] lists the attacks; each is a file in
//! `attacks`. Everything is a plain array, `[n, features]` for inputs and `[n, classes]` for logits, and every draw comes
//! from the generator that the caller passes. [`backdoor`] plants a backdoor in training examples, and looks for one;
//! [`odin()`] tells inputs that are unlike the training data.

pub mod attacks;
mod auto_pgd;
pub mod backdoor;
mod boundary;
pub mod certify;
mod curve;
pub mod defences;
mod draws;
mod error;
mod found;
mod loss;
mod odin;
mod plane;
mod threat;
mod transfer;
mod victim;
mod walk;
mod warning;

pub use attacks::{Attack, AttackConfig};
pub use curve::{Point, by_class, curve};
pub use defences::{Defence, DefenceConfig};
pub use error::RobustError;
pub use found::{Adversarial, Stage};
pub use odin::odin;
pub use threat::{Norm, Threat};
pub use transfer::transfer;
pub use victim::{Access, Batch, Victim};
pub use warning::Warning;
