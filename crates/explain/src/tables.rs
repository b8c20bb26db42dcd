//! What a model makes of the columns of a table, over a whole data set.

mod partial_dependence;
mod permutation_importance;

pub(crate) use partial_dependence::probabilities;
pub use partial_dependence::{Dependence, PartialDependence, partial_dependence, quantile_grid};
pub use permutation_importance::{Importance, PermutationImportance, permutation_importance};
