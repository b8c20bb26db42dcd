//! A threshold for each group, chosen after training so that groups are treated alike, and what that costs.
//!
//! [`GroupThresholds`] are plain thresholds, for any tolerance, and [`GroupThresholds::frontier`] shows what accuracy each
//! tolerance leaves. [`RandomizedThresholds`] mix two thresholds by chance, which reaches exact parity and is at least as
//! accurate; but two equal people may then be treated differently. Both need each person's group when they decide, which the
//! law may forbid, and hold for the examples they are chosen on: measure them on others.
//!
//! Source: M. Hardt, E. Price, N. Srebro, "Equality of opportunity in supervised learning", NeurIPS 2016.

mod curve;
mod deterministic;
mod hull;
mod randomized;

pub use curve::{NoThresholds, Parity, Scored};
pub use deterministic::GroupThresholds;
pub use randomized::{Mixture, RandomizedThresholds};
