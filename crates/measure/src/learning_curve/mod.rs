//! How an error falls with the number of training examples, and what more of them would bring.

mod fit;
mod power_law;

pub use fit::{Doubling, LearningCurve, NoCurve};
pub use power_law::PowerLaw;
