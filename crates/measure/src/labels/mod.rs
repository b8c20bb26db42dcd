//! Which labels are probably wrong, by what a network says of them.
//!
//! The probabilities must be of networks that were not trained on the example, as cross-validation gives them: one that
//! has learned a wrong label by heart confirms it.

mod confident;

pub use confident::{ConfidentLearning, Suspect};
