//! Answering only where one is sure: how many examples that leaves, and how often their answers are wrong.

mod area;
mod curve;

pub use area::area_interval;
pub use curve::{CoveragePoint, RiskCoverage};
