//! Telling unusual inputs from usual ones by a score, and how well that works.
//!
//! A higher score speaks for an input that is unlike the training data. Some need no more than the network's answers
//! ([`max_softmax`], [`energy`], [`entropy`], [`margin`]); others also the features before its last layer, of the training
//! data and of the input ([`Mahalanobis`], [`NearestNeighbours`], [`Vim`]). [`Detection`] measures any of them, and any
//! other detector of two kinds of examples.

mod answers;
mod mahalanobis;
mod measured;
mod nearest_neighbours;
mod vim;

pub use answers::{energy, entropy, margin, max_softmax};
pub use mahalanobis::Mahalanobis;
pub use measured::Detection;
pub use nearest_neighbours::NearestNeighbours;
pub use vim::Vim;
