//! Sets of classes that hold the true one as often as promised (split conformal prediction).
//!
//! A [`Score`] says how strange a class is for an example. On examples that the network was not trained on,
//! [`Conformal::calibrate`] finds the threshold that all but a share α of true classes stay below; the set of a new example
//! is every class below it. If calibration and new examples are exchangeable, the true class is in it with a probability
//! of at least 1 − α, whatever the network: on average over examples, not for each class or kind of example.
//!
//! Source: V. Vovk, A. Gammerman, G. Shafer, "Algorithmic learning in a random world" (2005); A. Angelopoulos, S. Bates,
//! "A gentle introduction to conformal prediction" (2021).

mod aps;
mod lac;
mod raps;
mod sets;
mod threshold;

pub use sets::Sets;
pub use threshold::{Conformal, Score};
