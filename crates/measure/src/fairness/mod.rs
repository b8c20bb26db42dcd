//! Whether a model, or the labels it learned from, treats groups of people alike, and what can be done about it.
//!
//! [`Groups`] says who is in which group, and [`Groups::intersect`] makes finer ones of several. [`count_outcomes`] counts
//! what a model does in each; a [`Rate`] of these counts is compared between groups by [`disparity`], as the difference and
//! the ratio between the highest and the lowest. The criteria have these names in the literature:
//!
//! | criterion | what is equal between groups |
//! |---|---|
//! | demographic parity (statistical parity; of ratios, disparate impact) | [`Rate::Selection`] |
//! | equal opportunity | [`Rate::TruePositive`] |
//! | equalized odds | true and false positive rates: [`equalized_odds`] |
//! | predictive parity | [`Rate::Precision`] |
//! | overall accuracy equality | [`Rate::Accuracy`] |
//! | calibration within groups | [`calibration_by_group`] |
//!
//! Where groups differ in how often the label is positive, no model that errs fulfils all of them (Chouldechova 2017;
//! Kleinberg et al. 2017). Of the labels alone, [`Rate::Label`] tells how far groups differ to begin with. Two repairs are
//! here: weights before training ([`reweighing()`]) and thresholds after it ([`thresholds`]).

mod calibration;
mod comparison;
mod counts;
mod difference;
mod entropy;
mod gap;
mod groups;
mod reweighing;
pub mod thresholds;

pub use calibration::calibration_by_group;
pub use comparison::{Disparity, GroupRate, disparity, equalized_odds};
pub use counts::{Outcomes, Rate, count_labels, count_outcomes, one_against_rest};
pub use difference::{rate_difference, rate_ratio};
pub use entropy::{between_groups_entropy, generalized_entropy, theil_index};
pub use gap::{Comparison, Gap};
pub use groups::Groups;
pub use reweighing::reweighing;
