//! Weights in and out, under PyTorch's names and in PyTorch's layout, and any other tensors on the host as files.
//!
//! A name is the path of fields to the parameter, `fc1.weight`; a list of layers counts from one, so that
//! `fc[0].weight` is `fc1.weight` too. A list with a plural name is PyTorch's `ModuleList`: `layers[0]` is `layers.0`.

mod error;
pub mod names;
mod network;
mod npy;
mod open;
mod own_file;
mod state;

pub use error::WeightsError;
pub use network::{Path, assign, collect};
pub use npy::to_npy;
pub use open::{OpenError, OpenProblem, Opened, open};
pub use own_file::{from_safetensors, to_safetensors};
pub use state::{HostTensor, State};
