//! What is certain about a classifier: no attack, known or unknown, can break it.

mod interval;
mod smoothing;

pub(crate) use interval::worst_logits;
pub use interval::{Bounds, NoBounds, certified, interval_bounds};
pub use smoothing::{Smoothed, Smoothing, clopper_pearson_lower};
