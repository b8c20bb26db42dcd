//! Shadow models: networks that are trained as the one under attack was, each on its own random half of a pool of examples,
//! so that it is known what training on an example does to a network's answers.
//!
//! R. Shokri, M. Stronati, C. Song, V. Shmatikov: Membership inference attacks against machine learning models, 2017
//! (arXiv:1610.05820); the halves are those of N. Carlini et al.: Membership inference attacks from first principles, 2022
//! (arXiv:2112.03570).

mod memory;
mod plan;
mod training;

pub use memory::{at_a_time, available_memory};
pub use plan::{MARK, Plan, Pool};
pub use training::{Start, Training};
