//! Whether a probability means what it says, and repairs where it does not.
//!
//! [`Forecasts`] are probabilities of something that then happened or did not: of the answered class being right
//! ([`Forecasts::top_label`]), or of one class being the true one ([`Forecasts::of_class`]). What is measured of them:
//! the expected and the maximum calibration error over bins, the bins themselves for a diagram, and the Brier score with
//! its parts. The repairs are fitted on examples that the network was not trained on, and then applied to any.

mod bins;
mod brier;
mod error;
mod forecasts;
mod isotonic;
mod negative_log_likelihood;
mod temperature;
mod unfit;
mod vector;

pub use bins::{Binning, ReliabilityBin};
pub use brier::{BrierParts, brier_score};
pub use error::class_wise_calibration_error;
pub use forecasts::Forecasts;
pub use isotonic::{Isotonic, IsotonicCurve};
pub use negative_log_likelihood::{negative_log_likelihood, negative_log_likelihood_of_logits};
pub use temperature::Temperature;
pub use unfit::Unfit;
pub use vector::VectorScaling;
