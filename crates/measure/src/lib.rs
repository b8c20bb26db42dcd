//! Arrays in, numbers with confidence intervals out.
//!
//! Absent by design: tensors, models, files, printing. Whoever has a network turns its outputs into plain slices
//! first, so that a model from anywhere can be measured, and a measurement can be checked against other software.
//!
//! A quantity that is undefined (0/0) is `None`, never a made-up zero.

mod bootstrap;
pub mod calibration;
mod classification;
mod clopper_pearson;
pub mod conformal;
pub mod detection;
mod estimate;
pub mod fairness;
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
pub use mean::Mean;
pub use mean_interval::mean_interval;
pub use median::median;
pub use regression::{MeanError, Regression, regression};
pub use roc::{NoRoc, OperatingPoint, Roc};
pub use rows::Rows;
pub use softmax::softmax;
