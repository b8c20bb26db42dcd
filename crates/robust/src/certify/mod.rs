//! What is certain about a classifier: no attack, known or unknown, can break it.

mod interval;
mod smoothing;

pub use interval::{Bounds, NoBounds, certified, interval_bounds};
pub(crate) use interval::{boxes, worst_logits};
pub use smoothing::{Smoothed, Smoothing, clopper_pearson_lower};
