//! Why a network answers as it does, and whether that explanation is true.
//!
//! [`Model`] is what is explained: a black box, one with gradients, or a network with its layers. [`Examples`] are the
//! inputs and the class that each is explained for. A method is picked by [`MethodConfig`]; [`METHODS`] lists them with
//! what each needs of the model. The functions of [`checks`] ask whether an attribution can be believed. What a model makes
//! of the data as a whole is told by [`tables`] and [`prototypes`]; [`SURVEYS`] lists how.
//!
//! What is explained is the logit of the class. A network with a single output has a logit for the second class only:
//! there it is the class's logit minus the other's, plus or minus the output.
//!
//! Everything is plain arrays, in the caller's own units (pixels from 0 to 1, say): [`Scaling`](crucible_models::Scaling)
//! leads from there to the network. The crate attacks nothing, reads no data and changes no model.

mod attribution;
mod baseline;
mod chain;
pub mod checks;
mod draws;
mod error;
mod examples;
mod groups;
pub mod methods;
mod model;
mod op;
pub mod prototypes;
mod quadrature;
mod surveys;
pub mod tables;

pub use attribution::{Attribution, Coarse, Gap};
pub use baseline::Baseline;
pub use error::ExplainError;
pub use examples::Examples;
pub use methods::{METHODS, Meaning, Method, MethodConfig, MethodInfo, Need};
pub use model::{Layers, Model};
pub use quadrature::gauss_legendre;
pub use surveys::{SURVEYS, SurveyConfig, SurveyInfo};
