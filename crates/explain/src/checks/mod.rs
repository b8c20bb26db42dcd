//! Whether an attribution can be believed.
//!
//! An attribution is a claim about a model. Each check here is a consequence of the claim that can be measured; none of
//! them proves it, and a colourful picture passes none by being plausible.

mod completeness;
mod infidelity;
mod randomisation;
mod removal;
mod sensitivity;

pub use completeness::{Completeness, completeness, gaps};
pub use infidelity::{Infidelity, InfidelityConfig, Perturbation, infidelity};
pub use randomisation::{Randomisation, RandomisationConfig, Stage, randomisation, spearman};
pub use removal::{Measured, Removal, RemovalConfig, removal};
pub use sensitivity::{SensitivityConfig, max_sensitivity};
