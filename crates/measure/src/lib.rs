//! Arrays in, numbers with confidence intervals out.
//!
//! Absent by design: tensors, models, files, printing. Whoever has a network turns its outputs into plain slices
//! first, so that a model from anywhere can be measured, and a measurement can be checked against other software.
//!
//! A quantity that is undefined (0/0) is `None`, never a made-up zero.
//!
//! The crate's root holds what every model is measured by. What an audit asks beyond that has a module for each question:
//! does a probability mean what it says ([`calibration`]), how many classes must be named to be sure ([`conformal`]), is
//! an input unlike the training data ([`detection`]), what if only sure answers are given ([`selective`]), are groups
//! treated alike ([`fairness`]), would more data help ([`learning_curve`]), are the [`labels`] right, and does it all keep
//! its [`limits`]. Of pictures that a network made, [`generation`] asks whether they are like real ones.

mod bootstrap;
pub mod calibration;
mod classification;
mod clopper_pearson;
pub mod conformal;
pub mod detection;
mod estimate;
pub mod fairness;
pub mod generation;
mod interval;
pub mod labels;
pub mod learning_curve;
pub mod limits;
mod linear;
mod mean;
mod mean_interval;
mod median;
mod regression;
mod roc;
mod rows;
pub mod selective;
mod softmax;

pub use bootstrap::Bootstrap;
pub use classification::{Average, ClassMetrics, Confusion, NotSquare, argmax, top_k};
pub use clopper_pearson::{clopper_pearson, clopper_pearson_lower, clopper_pearson_upper};
pub use estimate::Estimate;
pub use interval::{Interval, Proportion, normal_quantile, wilson};
pub use linear::Cholesky;
pub use mean::Mean;
pub use mean_interval::mean_interval;
pub use median::median;
pub use regression::{MeanError, Regression, regression};
pub use roc::{NoRoc, OperatingPoint, Roc};
pub use rows::Rows;
pub use softmax::softmax;
