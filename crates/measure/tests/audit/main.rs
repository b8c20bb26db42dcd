//! What an audit of a model computes, and what is measured of generated pictures, against other software, simulations and
//! hand-made cases. Each `golden/*.py` wrote the `.json` beside it, which names the versions it ran.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod calibration;
mod conformal;
mod detection;
mod fairness;
mod generation;
mod invariants;
mod labels;
mod learning_curve;
mod limits;
mod selective;
mod support;
mod thresholds;
