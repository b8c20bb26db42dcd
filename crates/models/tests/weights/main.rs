//! Weights that others wrote: read exactly, or refused with the reason.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod folders;
mod golden;
mod hostile;
mod names;
mod pickles;
mod properties;
mod support;
